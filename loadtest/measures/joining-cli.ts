// `npm run joining`: its options and its output.
import { Option } from '@commander-js/extra-typings';
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool, toolCommand } from '../command-line/command.ts';
import { summarize } from '../statistics.ts';
import { type JoiningTimes, joining } from './joining.ts';

const command = toolCommand('joining')
  .description(
    'Measure how long Yjs clients wait that join one large document at once, and edits of others meanwhile. The clients have a process of lower priority.',
  )
  .addOption(
    new Option('--protocol <NAME>', 'of the clients')
      .choices(['y-websocket', 'hocuspocus'] as const)
      .default('y-websocket' as const),
  )
  .option('--clients <N>', 'clients that join', wholeNumber(1), 20)
  .option('--mebibytes <N>', 'size of the document, MiB', wholeNumber(1), 16)
  .option('--rounds <N>', 'documents that are joined, one after the other', wholeNumber(1), 5)
  .option('--main <FILE>', 'compiled entry point of the node (default: that of this build)')
  .addHelpText('after', examples('npm run joining -- --mebibytes 4 --protocol hocuspocus'));

await runTool(command, async (signal) => {
  const { clients, mebibytes, protocol, rounds, main } = command.opts();
  const bytes = mebibytes * 1024 * 1024;
  const { empty, away } = await joining({ wire: protocol, clients, bytes, rounds, main, signal });
  process.stdout.write(`clients that have nothing: ${report(empty, rounds)}\n`);
  process.stdout.write(`clients that have 60 to 95 %: ${report(away, rounds)}\n`);
  return 0;
});

function report({ synced, inside, elsewhere, received, cpuMs }: JoiningTimes, rounds: number): string {
  return [
    `all synced after ${ms(synced, 'max')} ms at most (p50 ${ms(synced, 'p50')})`,
    `${(received / rounds / 1024 / 1024).toFixed(0)} MiB sent in each round, for ${(cpuMs / rounds).toFixed(0)} ms of the node's processor time`,
    `edits of the document p50 ${ms(inside, 'p50')}, p99 ${ms(inside, 'p99')} ms (${inside.length} edits)`,
    `edits of another one p50 ${ms(elsewhere, 'p50')}, p99 ${ms(elsewhere, 'p99')} ms (${elsewhere.length} edits)`,
  ].join('; ');
}

function ms(times: readonly number[], figure: 'p50' | 'p99' | 'max'): string {
  return summarize(times)[figure].toFixed(0);
}
