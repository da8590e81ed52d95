// `npm run test:crash -- [--rounds N] [--seconds N] [--seed N]`
import { countOption, readOptions, runCommand } from './cli-options.ts';
import { crashRun } from './crash.ts';
import { withNode } from './temporary-node.ts';

const USAGE = `usage: npm run test:crash -- [--rounds 9] [--seconds 5] [--seed 1]
  Kills a node of its own, its PostgreSQL, and both, in turn, under load; then checks every promise made.`;

await runCommand(USAGE, async () => {
  const { values } = readOptions(['rounds', 'seconds', 'seed'], 0);
  const rounds = countOption('rounds', values.rounds, 9);
  const secondsPerRound = countOption('seconds', values.seconds, 5);
  const seed = countOption('seed', values.seed, Date.now() % 1_000_000, 0);
  return await withNode(undefined, [], async (_, node) => {
    if (node === undefined) throw new Error('a node of our own');
    const onRound = (line: string) => process.stdout.write(`${line}\n`);
    const result = await crashRun({ node, rounds, secondsPerRound, seed, onRound });
    const { violations, acknowledged, committed, rejected, resent, pausesMs } = result;
    process.stdout.write(
      `seed ${seed}: ${committed} committed, ${acknowledged} acknowledged, ${rejected} rejected, ${resent} sent more than once; longest pause ${Math.round(Math.max(...pausesMs))} ms\n`,
    );
    for (const { rule, doc, client, detail } of violations.slice(0, 50)) {
      process.stdout.write(`  ${rule} ${doc} ${client ?? ''}: ${detail}\n`);
    }
    process.stdout.write(
      violations.length === 0 ? 'all promises kept\n' : `${violations.length} VIOLATIONS\n`,
    );
    return violations.length === 0 ? 0 : 1;
  });
});
