// `npm run garbage:yjs`: its options and its output.
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool, seed, TARGET, TARGET_TELLS, toolCommand } from '../command-line/command.ts';
import { withNode } from '../nodes/temporary-node.ts';
import { megabytes } from '../statistics.ts';
import { yjsGarbageRun } from './yjs-garbage.ts';

const command = toolCommand('garbage:yjs')
  .description(
    'Throw malformed, strange and too many frames at the endpoints for Yjs providers while other clients edit. It fails when they notice, or when the node dies, grows or closes with anything but a code of the contract.',
  )
  .option('--seconds <N>', 'length of the run', wholeNumber(), 600)
  .option('--throwers <N>', 'sockets that throw at once', wholeNumber(), 8)
  .option('--seed <N>', 'seed of all random choices (default: another one each time)', seed)
  .option(TARGET, TARGET_TELLS)
  .addHelpText('after', examples('npm run garbage:yjs -- --seconds 20 --seed 7'));

await runTool(command, async (signal) => {
  const { seconds, throwers, target, seed = Date.now() % 1_000_000 } = command.opts();
  return await withNode(target, [], async (url, node) => {
    const memory = node === undefined ? {} : { memory: () => node.residentBytes() };
    const result = await yjsGarbageRun({ url, seconds, throwers, seed, signal, ...memory });
    const { thrown, closes, faults, bystanders, editors } = result;
    process.stdout.write(
      `seed ${seed}: ${thrown} frames thrown; closes ${JSON.stringify(closes)}\n` +
        `bystanders: ${bystanders.count} edits, p50 ${bystanders.p50.toFixed(1)} ms, p99 ${bystanders.p99.toFixed(1)} ms; ` +
        `Yjs clients: ${editors.count} edits, p50 ${editors.p50.toFixed(1)} ms, p99 ${editors.p99.toFixed(1)} ms\n`,
    );
    if (result.memory !== undefined) {
      const { before, peak, after } = result.memory;
      process.stdout.write(
        `memory of the node: ${megabytes(before)} before, ${megabytes(peak)} at most, ${megabytes(after)} after\n`,
      );
    }
    for (const fault of faults.slice(0, 50)) process.stdout.write(`  ${fault}\n`);
    const lives = node === undefined || node.running;
    const isGood = lives && faults.length === 0;
    process.stdout.write(
      isGood ? 'the others noticed nothing\n' : lives ? 'FAILED\n' : `THE NODE DIED\n${node.log}\n`,
    );
    return isGood ? 0 : 1;
  });
});
