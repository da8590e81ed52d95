// `npm run test:crash`: its options and its output.
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool, seed, toolCommand } from '../command-line/command.ts';
import { withNode } from '../nodes/temporary-node.ts';
import { crashRun } from './crash.ts';

const command = toolCommand('test:crash')
  .description(
    'Kill a node of its own, its PostgreSQL, and both, in turn, under load; then check every promise made.',
  )
  .option('--rounds <N>', 'kills', wholeNumber(), 9)
  .option('--seconds <N>', 'load before each kill', wholeNumber(), 5)
  .option('--seed <N>', 'seed of all random choices (default: another one each time)', seed)
  .addHelpText('after', examples('npm run test:crash -- --rounds 3 --seconds 2'));

await runTool(command, async (signal) => {
  const { rounds, seconds: secondsPerRound, seed = Date.now() % 1_000_000 } = command.opts();
  return await withNode(undefined, [], async (_, node) => {
    if (node === undefined) throw new Error('the crash run has no process of its own');
    const onRound = (line: string) => process.stdout.write(`${line}\n`);
    const result = await crashRun({ node, rounds, secondsPerRound, seed, onRound, signal });
    const { violations, acknowledged, committed, rejected, resent, repeated, repeatedToNextNode, pausesMs } =
      result;
    process.stdout.write(
      `seed ${seed}: ${committed} committed, ${acknowledged} acknowledged, ${rejected} rejected, ${resent} sent more than once, ${repeated} of them after they had committed, ${repeatedToNextNode} to the node after the one that committed; longest pause ${Math.round(Math.max(0, ...pausesMs))} ms\n`,
    );
    for (const { rule, doc, client, detail } of violations.slice(0, 50)) {
      process.stdout.write(`  ${rule} ${doc} ${client ?? ''}: ${detail}\n`);
    }
    const provoked = repeated > 0 && repeatedToNextNode > 0;
    if (violations.length > 0) process.stdout.write(`${violations.length} VIOLATIONS\n`);
    else if (provoked) process.stdout.write('all promises kept\n');
    else if (signal.aborted) process.stdout.write('all promises kept so far\n');
    else process.stdout.write('NOTHING PROVED about duplicates: no commit was sent again\n');
    return violations.length === 0 && (provoked || signal.aborted) ? 0 : 1;
  });
});
