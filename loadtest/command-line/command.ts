// How the commands of this folder are described and run: one description of each parses its options and prints its
// help, the first signal asks it to end with what it has measured, and failures are one line. Runs no load itself.
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import {
  commandLine,
  explainMisuse,
  type Print,
  readWords,
  wholeNumber,
} from '../../config/command-line/command-line.ts';
import { onStopSignals } from '../../config/command-line/stop-signals.ts';
import { outliveTerminal } from '../../config/command-line/terminal.ts';
import { Interrupted, RunFailure, UsageError } from './cli-options.ts';

/** As shells report a program that SIGINT has ended. */
const INTERRUPTED = 130;
const FAILED = 1;
/** Time for output to be written before the process ends. */
const LAST_WORDS_MS = 500;

/** A command that `npm run SCRIPT --` runs, without options. */
export const toolCommand = (script: string) =>
  commandLine(`npm run ${script} --`, (text) => process.stdout.write(text));

/** The flags of the node that a command uses. `--url` is the older name. */
export const TARGET = '--url, --target <URL>' as const;
export const TARGET_TELLS =
  'a running node, such as http://127.0.0.1:8080 (default: start a node with an embedded PostgreSQL in a temporary directory)';

/** Reads the seed of all random choices. */
export const seed = wholeNumber(0);

/**
 * Parses the command line, and runs `work`. Its result is the exit code: 0 passed, 1 failed. `signal` is aborted when
 * the command should end; a command that then ends without a failure has the exit code 130. A second signal ends the
 * process at once. Wrong options are one line and the exit code 2.
 */
export async function runTool(
  command: CommandUnknownOpts,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const print: Print = (text) => process.stderr.write(text);
  const found = readWords(command, process.argv.slice(2));
  if (found === 'printed') return;
  if (found !== 'read') {
    process.exitCode = explainMisuse(found, named(command).program, print);
    return;
  }
  process.exitCode = await runWork(named(command), work);
}

/** The words that start a program, for its messages, and those that print its help. */
export interface NamedProgram {
  readonly program: string;
  readonly help: string;
}

const named = (command: CommandUnknownOpts): NamedProgram => ({
  program: command.name().replace(/ --$/, ''),
  help: `${command.name()} --help`,
});

/** Runs `work` as runTool does, and resolves with its exit code. The process ends soon after. */
export async function runWork(
  program: NamedProgram,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const print: Print = (text) => process.stderr.write(text);
  outliveTerminal();
  const end = new AbortController();
  const stopListening = onStopSignals({
    onWish: () => {
      print('Ending, with what was measured so far. A second signal ends at once.\n');
      end.abort(new Interrupted());
    },
    // The processes that the run has started end with this one.
    onInsist: (_signal, code) => process.exit(code),
  });
  try {
    const code = await work(end.signal);
    return code === 0 && end.signal.aborted ? INTERRUPTED : code;
  } catch (error) {
    return exitCodeOf(error, program, print);
  } finally {
    stopListening();
    // Clients of a run that has failed may dial on.
    setTimeout(() => process.exit(), LAST_WORDS_MS).unref();
  }
}

function exitCodeOf(error: unknown, { program, help }: NamedProgram, print: Print): number {
  if (error instanceof UsageError) return explainMisuse({ message: error.message, help }, program, print);
  if (error instanceof Interrupted) return INTERRUPTED;
  if (error instanceof RunFailure || isSystemError(error)) print(`${error.message}\n`);
  else print(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return FAILED;
}

/** A file that cannot be read, or a connection that is refused: no defect. */
const isSystemError = (error: unknown): error is Error => error instanceof Error && 'syscall' in error;

/** Resolves after the time, or when the signal is aborted. Returns whether the time has passed. */
export function lasted(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const onAbort = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve(true);
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
