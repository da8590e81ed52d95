#!/usr/bin/env node
// The entry of the `troupe` command. It does not wait for the command at top level: whoever imports
// this module in-process gets it back while the node starts.
import { inspect } from 'node:util';
import { EXIT } from '../config/fatal.ts';
import { Secrets } from '../config/secrets.ts';
import { run } from './cli/cli.ts';

// What cannot be told is still in the exit code.
process.stderr.on('error', () => undefined);

const LAST_WORDS_MS = 500;

const secrets = new Secrets();
// Only a defect arrives here: its stack is what helps. What hangs on an error may be a connection's options.
const defect = (error: unknown): void => {
  // A reader that has stopped keeps nobody from ending.
  setTimeout(() => process.exit(EXIT.failure), LAST_WORDS_MS);
  process.stderr.write(`${secrets.hide(inspect(error))}\n`, () => process.exit(EXIT.failure));
};
process.on('uncaughtException', defect);

run(process.argv.slice(2), process, secrets).then((code) => {
  process.exitCode = code;
}, defect);
