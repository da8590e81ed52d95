// `npm run presence -- [--readers N] [--seconds N] [--p99 N] [--seed N] [--url URL]`
import { countOption, readOptions, runCommand } from '../cli-options.ts';
import { megabytes, type Summary } from '../statistics.ts';
import { withNode } from '../temporary-node.ts';
import { presenceRun } from './presence.ts';

const USAGE = `usage: npm run presence -- [--readers 1500] [--seconds 30] [--p99 50] [--seed 1] [--url URL]
  --readers  clients of one document; each moves its presence once a second
  --p99      most milliseconds from edit to commit in other documents, at the 99th percentile`;

const told = ({ p50, p99, max }: Summary): string =>
  `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${max.toFixed(0)} ms`;

await runCommand(USAGE, async () => {
  const { values } = readOptions(['readers', 'seconds', 'p99', 'seed', 'url'], 0);
  const readers = countOption('readers', values.readers, 1500, 2);
  const seconds = countOption('seconds', values.seconds, 30);
  const boundMs = countOption('p99', values.p99, 50);
  const seed = countOption('seed', values.seed, Date.now() % 1_000_000, 0);
  return await withNode(values.url, [], async (url) => {
    const result = await presenceRun({ url, readers, seconds, seed });
    const { sent, received, frames, bytes, delivery, bystanders } = result;
    const faults = [...result.faults];
    if (bystanders.p99 > boundMs) faults.push(`p99 of the edits elsewhere is above ${boundMs} ms`);
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
