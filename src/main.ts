#!/usr/bin/env node
// The entry of the `troupe` command. It does not await the command at top level, so that a program that
// imports this module goes on while the node starts.
import { inspect } from 'node:util';
import { EXIT } from '../config/fatal.ts';
import { Secrets } from '../config/showing/secrets.ts';
import { run } from './cli/cli.ts';

// If standard error is gone, the exit code still tells of a failure.
process.stderr.on('error', () => undefined);
// A reader such as `head` may stop early. Every other error means that a result is lost.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  process.stderr.write(`troupe: the output could not be written: ${error.code ?? error.message}\n`);
  process.exitCode = EXIT.failure;
});

const LAST_WORDS_MS = 500;

const secrets = new Secrets();
// Only defects arrive here, so the stack is printed. An error's properties may hold a connection's options,
// so secrets are masked.
const defect = (error: unknown): void => {
  // A reader that has stopped must not keep the process from ending.
  setTimeout(() => process.exit(EXIT.failure), LAST_WORDS_MS);
  process.stderr.write(`${secrets.hide(inspect(error))}\n`, () => process.exit(EXIT.failure));
};
process.on('uncaughtException', defect);

run(process.argv.slice(2), process, secrets).then((code) => {
  process.exitCode = code;
}, defect);
