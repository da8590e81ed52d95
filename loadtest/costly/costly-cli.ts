// `npm run costly -- [--seconds N] [--clients N] [--shapes A,B] [--seed N] [--url URL]`
import { countOption, readOptions, runCommand, UsageError } from '../cli-options.ts';
import { megabytes } from '../statistics.ts';
import { withNode } from '../temporary-node.ts';
import { costlyRun } from './costly.ts';
import { SHAPES } from './costly-patches.ts';

const USAGE = `usage: npm run costly -- [--seconds 60] [--clients 20] [--shapes ${Object.keys(SHAPES).slice(0, 2).join()}] [--p99 150] [--memory 1536] [--seed 1] [--url URL]
  --shapes  which of ${Object.keys(SHAPES).join(', ')}; all without it
  --p99     most milliseconds from edit to commit of the bystanders, at the 99th percentile
  --memory  most resident mebibytes of the node`;

await runCommand(USAGE, async () => {
  const { values } = readOptions(['seconds', 'clients', 'shapes', 'p99', 'memory', 'seed', 'url'], 0);
  const seconds = countOption('seconds', values.seconds, 60);
  const clients = countOption('clients', values.clients, 20);
  const boundMs = countOption('p99', values.p99, 150);
  const memoryBound = countOption('memory', values.memory, 1_536) * 2 ** 20;
  const seed = countOption('seed', values.seed, Date.now() % 1_000_000, 0);
  const shapes = values.shapes?.split(',') ?? [];
  for (const name of shapes)
    if (!Object.hasOwn(SHAPES, name)) throw new UsageError(`there is no shape ${name}`);
  return await withNode(values.url, [], async (url, node) => {
    const memory = node === undefined ? {} : { memory: () => node.residentBytes() };
    const onProgress = (line: string) => process.stdout.write(`${line}\n`);
    const result = await costlyRun({
      url,
      seconds,
      clients,
      shapes,
      seed,
      memoryBound,
      onProgress,
      ...memory,
    });
    const { answers, played, bystanders, ownDelayMs } = result;
    const faults = [...result.faults];
    if (bystanders.p99 > boundMs) faults.push(`p99 of the bystanders is above ${boundMs} ms`);
    if (node !== undefined && !node.running) faults.push('the node has ended');
    for (const line of node?.log.split('\n') ?? [])
      if (/a worker ended|"level":50/.test(line)) faults.push(line);
    process.stdout.write(
      `seed ${seed}: answers ${JSON.stringify(answers)}\nshapes played to their end: ${JSON.stringify(played)}\n` +
        `bystanders: ${bystanders.count} edits, p50 ${bystanders.p50.toFixed(1)} ms, p99 ${bystanders.p99.toFixed(1)} ms, ` +
        `longest ${bystanders.max.toFixed(0)} ms (timers of this process were late by ${ownDelayMs.toFixed(1)} ms at p99)\n`,
    );
    if (result.memory !== undefined) {
      const { before, peak, after } = result.memory;
      process.stdout.write(
        `memory of the node: ${megabytes(before)} before, ${megabytes(peak)} at most, ${megabytes(after)} after\n`,
      );
    }
    for (const fault of faults.slice(0, 50)) process.stdout.write(`  ${fault}\n`);
    process.stdout.write(faults.length === 0 ? 'nobody noticed\n' : 'FAILED\n');
    return faults.length === 0 ? 0 : 1;
  });
});
