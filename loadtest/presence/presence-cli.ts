// `npm run presence`: its options and its output.
import { Option } from '@commander-js/extra-typings';
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool, seed, TARGET, TARGET_TELLS, toolCommand } from '../command-line/command.ts';
import { withNode } from '../nodes/temporary-node.ts';
import { megabytes, type Summary } from '../statistics.ts';
import { presenceRun } from './presence.ts';

const command = toolCommand('presence')
  .description(
    'Many readers of one document move their cursors, while others edit elsewhere. It fails when a reader misses a move, or when the others notice.',
  )
  .option('--readers <N>', 'clients of the document; each moves once a second', wholeNumber(2), 1500)
  .addOption(
    new Option('--protocol <NAME>', 'what the clients speak')
      .choices(['contract', 'y-websocket'] as const)
      .default('contract'),
  )
  .option('--seconds <N>', 'length of the run', wholeNumber(), 30)
  .option('--p99 <MS>', 'longest edit → commit elsewhere, at the 99th percentile', wholeNumber(), 50)
  .option('--seed <N>', 'seed of all random choices (default: another one each time)', seed)
  .option(TARGET, TARGET_TELLS)
  .addHelpText('after', examples('npm run presence -- --readers 300 --seconds 10'));

const told = ({ p50, p99, max }: Summary): string =>
  `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${max.toFixed(0)} ms`;

await runTool(command, async (signal) => {
  const { readers, protocol, seconds, p99, target, seed = Date.now() % 1_000_000 } = command.opts();
  return await withNode(target, [], async (url) => {
    const result = await presenceRun({ url, wire: protocol, readers, seconds, seed, signal });
    const { sent, received, frames, bytes, delivery, bystanders } = result;
    const faults = [...result.faults];
    if (bystanders.p99 > p99) faults.push(`p99 of the edits elsewhere is above ${p99} ms`);
    process.stdout.write(
      `seed ${seed}: ${sent} states sent, ${received} received in ${frames} frames of ${megabytes(bytes)} in all\n` +
        `state → reader: ${told(delivery)}\n` +
        `edit → commit elsewhere: ${bystanders.count} edits, ${told(bystanders)}\n`,
    );
    for (const fault of faults.slice(0, 50)) process.stdout.write(`  ${fault}\n`);
    process.stdout.write(faults.length === 0 ? 'every state reached every reader\n' : 'FAILED\n');
    return faults.length === 0 ? 0 : 1;
  });
});
