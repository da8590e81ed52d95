// `npm run garbage -- [--frames N] [--throwers N] [--seed N] [--url URL]`
import { countOption, readOptions, runCommand } from '../cli-options.ts';
import { megabytes } from '../statistics.ts';
import { withNode } from '../temporary-node.ts';
import { garbageRun } from './garbage.ts';

const USAGE = 'usage: npm run garbage -- [--frames 100000] [--throwers 8] [--seed 1] [--url URL]';

await runCommand(USAGE, async () => {
  const { values } = readOptions(['frames', 'throwers', 'seed', 'url'], 0);
  const frames = countOption('frames', values.frames, 100_000);
  const throwers = countOption('throwers', values.throwers, 8);
  const seed = countOption('seed', values.seed, Date.now() % 1_000_000, 0);
  return await withNode(values.url, [], async (url, node) => {
    const memory = node === undefined ? {} : { memory: () => node.residentBytes() };
    const result = await garbageRun({ url, frames, throwers, seed, ...memory });
    const { thrown, answers, closes, faults, bystanders } = result;
    process.stdout.write(
      `seed ${seed}: ${thrown} frames thrown; answers ${JSON.stringify(answers)}; closes ${JSON.stringify(closes)}\n` +
        `bystanders: ${bystanders.count} edits, p50 ${bystanders.p50.toFixed(1)} ms, p99 ${bystanders.p99.toFixed(1)} ms\n`,
    );
    if (result.memory !== undefined) {
      const { before, peak, after } = result.memory;
      process.stdout.write(
        `memory of the node: ${megabytes(before)} before, ${megabytes(peak)} at most, ${megabytes(after)} after\n`,
      );
    }
    for (const fault of faults.slice(0, 50)) process.stdout.write(`  ${fault}\n`);
    const lives = node === undefined || node.running;
    process.stdout.write(
      lives && faults.length === 0 ? 'nobody noticed\n' : lives ? 'FAILED\n' : `THE NODE DIED\n${node.log}\n`,
    );
    return lives && faults.length === 0 ? 0 : 1;
  });
});
