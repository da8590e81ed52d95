// `npm run test:crash -- [--rounds N] [--seconds N] [--seed N]`
import { countOption, readOptions, runCommand } from '../cli-options.ts';
import { withNode } from '../temporary-node.ts';
import { crashRun } from './crash.ts';

const USAGE = `usage: npm run test:crash -- [--rounds 9] [--seconds 5] [--seed 1]
  Kills a node of its own, its PostgreSQL, and both, in turn, under load; then checks every promise made.`;

await runCommand(USAGE, async () => {
  const { values } = readOptions(['rounds', 'seconds', 'seed'], 0);
  const rounds = countOption('rounds', values.rounds, 9);
  const secondsPerRound = countOption('seconds', values.seconds, 5);
  const seed = countOption('seed', values.seed, Date.now() % 1_000_000, 0);
  return await withNode(undefined, [], async (_, node) => {
    if (node === undefined) throw new Error('the crash run has no node process of its own');
    const onRound = (line: string) => process.stdout.write(`${line}\n`);
    const result = await crashRun({ node, rounds, secondsPerRound, seed, onRound });
    const { violations, acknowledged, committed, rejected, resent, repeated, repeatedToNextNode, pausesMs } =
      result;
    process.stdout.write(
      `seed ${seed}: ${committed} committed, ${acknowledged} acknowledged, ${rejected} rejected, ${resent} sent more than once, ${repeated} of them after they had committed, ${repeatedToNextNode} to the node after the one that committed; longest pause ${Math.round(Math.max(...pausesMs))} ms\n`,
    );
    for (const { rule, doc, client, detail } of violations.slice(0, 50)) {
      process.stdout.write(`  ${rule} ${doc} ${client ?? ''}: ${detail}\n`);
    }
    const provoked = repeated > 0 && repeatedToNextNode > 0;
    if (violations.length > 0) process.stdout.write(`${violations.length} VIOLATIONS\n`);
    else if (provoked) process.stdout.write('all promises kept\n');
    else process.stdout.write('NOTHING PROVED about duplicates: no commit was sent again\n');
    return violations.length === 0 && provoked ? 0 : 1;
  });
});
