// Failures to start that a person can mend: one line that explains the failure, and an exit code. Such an
// error is printed without a stack trace. Any other error that is thrown is a defect.

/** Exit codes of the `troupe` command. `config` is EX_CONFIG of sysexits.h. */
export const EXIT = { ok: 0, failure: 1, usage: 2, config: 78 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An expected failure to start: port in use, database out of reach, directory held by another node. */
export class StartError extends Error {
  override name = 'StartError';
  readonly exitCode: ExitCode;

  /**
   * `message`: for the operator, complete in itself, without a final newline. `cause`: for the log at level
   * debug.
   */
  constructor(message: string, options: { exitCode?: ExitCode; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? EXIT.failure;
  }
}

/** One problem of the configuration. `path` is that of the key, or '' for a file as a whole. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** The configuration cannot be used. Its message lists every problem, one a line. */
export class ConfigError extends StartError {
  override name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('\n'), {
      exitCode: EXIT.config,
    });
    this.problems = problems;
  }
}
