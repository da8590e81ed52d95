// `npm run joining`: its options and its output.
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool, toolCommand } from '../command-line/command.ts';
import { type JoiningTimes, joining } from './joining.ts';

const command = toolCommand('joining')
  .description(
    'Measure how long Yjs clients wait that join one large document at once, and edits of others meanwhile.',
  )
  .option('--clients <N>', 'clients that join', wholeNumber(1), 20)
  .option('--mebibytes <N>', 'size of the document, MiB', wholeNumber(1), 16)
  .addHelpText('after', examples('npm run joining -- --mebibytes 4'));

await runTool(command, async (signal) => {
  const { clients, mebibytes } = command.opts();
  const { empty, away } = await joining({ clients, bytes: mebibytes * 1024 * 1024, signal });
  process.stdout.write(`clients that have nothing: ${report(empty)}\n`);
  process.stdout.write(`clients that have 60 to 95 %: ${report(away)}\n`);
  return 0;
});

function report({ synced, inside, elsewhere, received }: JoiningTimes): string {
  return [
    `all synced in ${at(synced, 1)} ms (p50 ${at(synced, 0.5)})`,
    `${(received / 1024 / 1024).toFixed(0)} MiB sent`,
    `edits of the document p50 ${at(inside, 0.5)}, p99 ${at(inside, 0.99)} ms`,
    `edits of another one p50 ${at(elsewhere, 0.5)}, p99 ${at(elsewhere, 0.99)} ms (${elsewhere.length} edits)`,
  ].join('; ');
}

function at(times: readonly number[], share: number): string {
  const sorted = times.toSorted((a, b) => a - b);
  return (sorted[Math.ceil(share * sorted.length) - 1] ?? 0).toFixed(0);
}
