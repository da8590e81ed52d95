// `npm run costly`: its options and its output.
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool, seed, TARGET, TARGET_TELLS, toolCommand } from '../command-line/command.ts';
import { withNode } from '../nodes/temporary-node.ts';
import { megabytes } from '../statistics.ts';
import { costlyRun } from './costly.ts';
import { SHAPES } from './costly-patches.ts';

const names = Object.keys(SHAPES);

const command = toolCommand('costly')
  .description(
    'Clients send legal messages that are as expensive as the limits allow, while other clients edit. It fails when they notice, or when the node needs too much memory.',
  )
  .option('--seconds <N>', 'length of the run', wholeNumber(), 60)
  .option('--clients <N>', 'clients that send', wholeNumber(), 20)
  .option(
    '--shapes <NAMES>',
    `messages to send, separated by commas (default: all): ${names.join(', ')}`,
    shapesOf,
  )
  .option('--p99 <MS>', 'longest edit → commit of the others, at the 99th percentile', wholeNumber(), 150)
  .option('--memory <MIB>', 'most resident mebibytes of the node', wholeNumber(), 1536)
  .option('--seed <N>', 'seed of all random choices (default: another one each time)', seed)
  .option(TARGET, TARGET_TELLS)
  .addHelpText('after', examples(`npm run costly -- --seconds 20 --shapes ${names.slice(0, 2).join(',')}`));

function shapesOf(text: string): readonly string[] {
  const wanted = text.split(',');
  if (wanted.every((name) => Object.hasOwn(SHAPES, name))) return wanted;
  throw new InvalidArgumentError(`Expected names of shapes, separated by commas: ${names.join(', ')}.`);
}

await runTool(command, async (signal) => {
  const { seconds, clients, p99, shapes = [], target, seed = Date.now() % 1_000_000 } = command.opts();
  const memoryBound = command.opts().memory * 2 ** 20;
  return await withNode(target, [], async (url, node) => {
    const memory = node === undefined ? {} : { memory: () => node.residentBytes() };
    const onProgress = (line: string) => process.stdout.write(`${line}\n`);
    const run = { url, seconds, clients, shapes, seed, memoryBound, onProgress, signal };
    const result = await costlyRun({ ...run, ...memory });
    const { answers, played, bystanders, ownDelayMs } = result;
    const faults = [...result.faults];
    if (bystanders.p99 > p99) faults.push(`p99 of the bystanders is above ${p99} ms`);
    if (node !== undefined && !node.running) faults.push('the node has ended');
    for (const line of node?.log.split('\n') ?? [])
      if (/a worker has ended|"level":50/.test(line)) faults.push(line);
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
    process.stdout.write(faults.length === 0 ? 'the bystanders noticed nothing\n' : 'FAILED\n');
    return faults.length === 0 ? 0 : 1;
  });
});
