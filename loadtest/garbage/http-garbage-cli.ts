// `npm run garbage:http`: its options.
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool } from '../command-line/command.ts';
import { garbageCommand, runGarbage, TOKEN, TOKEN_TELLS, tokenText } from './garbage-command.ts';
import { HTTP_GARBAGE_SETTINGS, httpGarbageRun } from './http-garbage.ts';

const command = garbageCommand('garbage:http')
  .description(
    'Send broken and odd requests, with all kinds of tokens, to every route of the HTTP API while other clients edit over sockets. It fails when they notice, or when the node dies, grows or answers anything but a code of the contract or a success that the caller may have.',
  )
  .option('--seconds <N>', 'length of the run', wholeNumber(), 600)
  .option(TOKEN, TOKEN_TELLS, tokenText)
  .addHelpText('after', examples('npm run garbage:http -- --seconds 20 --seed 7'));

await runTool(command, async (signal) => {
  const { seconds, ...choices } = command.opts();
  const set = Object.entries(HTTP_GARBAGE_SETTINGS).flatMap(([section, keys]) =>
    Object.entries(keys).map(([key, value]) => `${section}.${key}=${value}`),
  );
  return await runGarbage({ ...choices, set, isLogin: true, signal }, (options) =>
    httpGarbageRun({ ...options, seconds }),
  );
});
