// Why an embedded PostgreSQL does not run: one line for a person each.

/**
 * - not-installed: the optional dependency is missing, or has no build for this platform.
 * - cannot-run: the binaries do not run here as any user that may run them.
 * - in-use: another process has the directory.
 * - failed: PostgreSQL said no; the message has its last word.
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
