#!/usr/bin/env node
// The entry of the `troupe` command. It does not wait for the command at top level: whoever imports
// this module in-process gets it back while the node starts.
import { run } from './cli/cli.ts';

// What cannot be told is still in the exit code.
process.stderr.on('error', () => undefined);

run(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    // Only a defect arrives here: its stack is what helps.
    console.error(error);
    process.exit(1);
  },
);
