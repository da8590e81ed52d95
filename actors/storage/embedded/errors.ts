// The reasons for which an embedded PostgreSQL does not run, each with one line for a person.

/**
 * - not-installed: the optional dependency is missing, or has no build for this platform.
 * - cannot-run: the binaries do not run here as any user that may run them.
 * - in-use: another process has the directory.
 * - failed: PostgreSQL reported an error; the message has its last line.
 */
export type EmbeddedPostgresCode = 'not-installed' | 'cannot-run' | 'in-use' | 'failed';

export class EmbeddedPostgresError extends Error {
  override name = 'EmbeddedPostgresError';
  readonly code: EmbeddedPostgresCode;
  constructor(code: EmbeddedPostgresCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
