// The one error type of the SDK. Codes are those of the wire contract (protocol/errors.ts); the SDK
// adds none of its own, so an application switches over a single catalogue.
import { ERROR_CODES, type ErrorCode } from '../protocol/errors.ts';

/**
 * An expected failure, from the server or from the SDK's own checks. `code`: from the catalogue. `retryable`:
 * whether the same call may succeed later, unchanged. `retryAfterMs`: the time after which it may, if the
 * server gave one.
 */
export class TroupeError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  constructor(
    code: ErrorCode,
    message: string,
    retryable: boolean = ERROR_CODES[code],
    retryAfterMs?: number,
  ) {
    super(message);
    this.name = 'TroupeError';
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The code that a server sent, or `internal` if this version does not know the code. */
export function knownCode(code: unknown): ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'internal';
}
