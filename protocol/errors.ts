// The catalogue of error codes and close codes of the wire contract. Every failure that a client can see is
// one of these. docs/protocol.md lists the same codes, and a test compares the two lists.

/**
 * Maps an error code to `retryable` on the wire: true if the same request may succeed when it is sent again
 * unchanged. Source: docs/protocol.md, section Errors.
 */
export const ERROR_CODES = {
  'bad-message': false,
  'bad-name': false,
  'bad-op': false,
  'test-failed': false,
  conflict: false,
  'seq-used': false,
  'not-open': false,
  'not-found': false,
  exists: false,
  'wrong-kind': false,
  unauthenticated: false,
  forbidden: false,
  'too-large': false,
  'rate-limited': true,
  overloaded: true,
  'precondition-failed': false,
  'version-unknown': false,
  'version-too-old': true,
  unavailable: true,
  internal: false,
} as const satisfies Record<string, boolean>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Codes that end a submit for good. The server answers `reject`, and the seq is burnt. */
export const FINAL_SUBMIT_CODES = [
  'bad-op',
  'test-failed',
  'conflict',
  'forbidden',
  'too-large',
  'seq-used',
  'version-unknown',
] as const satisfies readonly ErrorCode[];

export type FinalSubmitCode = (typeof FINAL_SUBMIT_CODES)[number];

/**
 * Codes that leave a submit open. The server answers `error` with the submit's `seq`, and the client sends
 * it again.
 */
export const OPEN_SUBMIT_CODES = [
  'overloaded',
  'rate-limited',
  'unavailable',
  'version-too-old',
] as const satisfies readonly ErrorCode[];

export type OpenSubmitCode = (typeof OPEN_SUBMIT_CODES)[number];

export const isOpenSubmitCode = (code: string): code is OpenSubmitCode =>
  OPEN_SUBMIT_CODES.some((open) => open === code);

/** WebSocket close codes. The codes 1xxx follow RFC 6455; the codes 4xxx are Troupe's own. */
export const CLOSE_CODES = {
  shutdown: 1001,
  frameTooLarge: 1009,
  draining: 1012,
  overloaded: 1013,
  badMessage: 4400,
  unauthenticated: 4401,
  forbidden: 4403,
  noHello: 4408,
  rateLimited: 4429,
  slowReader: 4508,
} as const;

/**
 * Close codes after which a client must not reconnect by itself. After 4401 it may once it has a new token.
 */
export const CLOSE_WITHOUT_RETRY: ReadonlySet<number> = new Set([
  CLOSE_CODES.badMessage,
  CLOSE_CODES.unauthenticated,
  CLOSE_CODES.forbidden,
]);

/** An expected failure as a value: a code from the catalogue and a message for a person. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}
