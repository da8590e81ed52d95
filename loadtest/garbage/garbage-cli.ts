// `npm run garbage`: its options.
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool } from '../command-line/command.ts';
import { garbageRun } from './garbage.ts';
import { garbageCommand, runGarbage, TOKEN, TOKEN_TELLS, tokenText } from './garbage-command.ts';

const command = garbageCommand('garbage')
  .description(
    'Throw malformed, cut off and oversize frames and wrong tokens at a node while other clients edit. It fails when they notice, or when the node dies, grows or answers anything but a code of the contract.',
  )
  .option('--frames <N>', 'frames to throw', wholeNumber(), 100_000)
  .option('--seconds <N>', 'length of the run, in place of --frames', wholeNumber())
  .option(TOKEN, TOKEN_TELLS, tokenText)
  .addHelpText('after', examples('npm run garbage -- --frames 5000 --seed 7'));

await runTool(command, async (signal) => {
  const { frames, seconds, ...choices } = command.opts();
  const length = seconds === undefined ? { frames } : { seconds };
  return await runGarbage({ ...choices, isLogin: true, signal }, (options) =>
    garbageRun({ ...options, ...length }),
  );
});
