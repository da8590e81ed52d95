// Options of this folder's commands: read, checked, and refused in one line. Runs nothing.
import { parseArgs } from 'node:util';

/**
 * Thrown for errors that the person at the keyboard can correct; its message is all that they need to see.
 */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Thrown for failures that are no defect, such as a server that does not answer. Told in one line. */
export class RunFailure extends Error {
  override name = 'RunFailure';
}

/** Thrown when a signal has ended a command early. */
export class Interrupted extends Error {
  override name = 'Interrupted';

  constructor() {
    super('interrupted');
  }
}

/** Values by option name, all of them texts, and the other arguments. Throws UsageError. */
export function readOptions(
  names: readonly string[],
  positionals: number,
): {
  readonly values: Readonly<Record<string, string | undefined>>;
  readonly positionals: readonly string[];
} {
  try {
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
    const parsed = parseArgs({ options, allowPositionals: true, strict: true });
    if (parsed.positionals.length !== positionals) throw new Error(`${positionals} argument(s) expected`);
    return { values: { ...parsed.values }, positionals: parsed.positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A whole number from `least` on. */
export function countOption(name: string, value: string | undefined, fallback: number, least = 1): number {
  if (value === undefined) return fallback;
  const count = Number(value);
  if (!Number.isSafeInteger(count) || count < least) {
    throw new UsageError(`--${name} is a whole number from ${least}, not ${JSON.stringify(value)}`);
  }
  return count;
}

/**
 * Runs a command. The exit code is 0 or the returned number, 2 for usage, 1 for any other error. An
 * interrupted command ends the process, since the awaited results will not come.
 */
export async function runCommand(usage: string, command: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await command();
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n${usage}\n`);
      process.exitCode = 2;
    } else if (error instanceof RunFailure) {
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 1;
    } else if (error instanceof Interrupted) {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    } else {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exitCode = 1;
    }
  }
}
