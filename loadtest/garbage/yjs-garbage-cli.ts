// `npm run garbage:yjs`: its options.
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool } from '../command-line/command.ts';
import { garbageCommand, runGarbage } from './garbage-command.ts';
import { yjsGarbageRun } from './yjs-garbage.ts';

const command = garbageCommand('garbage:yjs')
  .description(
    'Throw malformed, strange and too many frames at the endpoints for Yjs providers while other clients edit. It fails when they notice, or when the node dies, grows or closes with anything but a code of the contract.',
  )
  .option('--seconds <N>', 'length of the run', wholeNumber(), 600)
  .addHelpText('after', examples('npm run garbage:yjs -- --seconds 20 --seed 7'));

await runTool(command, async (signal) => {
  const { seconds, ...choices } = command.opts();
  return await runGarbage({ ...choices, isLogin: false, signal }, async (options) => {
    const result = await yjsGarbageRun({ ...options, seconds });
    const { count, p50, p99 } = result.editors;
    const told = `Yjs clients: ${count} edits, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
    return { ...result, told };
  });
});
