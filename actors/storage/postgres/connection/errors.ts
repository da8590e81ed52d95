// The meaning of an error of the driver or of PostgreSQL for the call that got it.
import { StoreUnavailable } from '../../store.ts';

/**
 * - connection: the connection is lost; it is unknown whether the statement took effect.
 * - transient: the statement had no effect and may have one when sent again unchanged.
 * - data: a value of the statement is refused, and always will be.
 * - duplicate: a unique key is taken.
 * - other: a defect of this program or its schema.
 */
export type ErrorClass = 'connection' | 'transient' | 'data' | 'duplicate' | 'other';

/**
 * Refused for now: resources, locks, time-outs, or a server that starts, stops, is read-only, or does not
 * let us in.
 */
const TRANSIENT = /^(25006|28|3D000|40|53|55P03|55006|57014|58)/;
const CONNECTION = /^(CONNECTION_|CONNECT_TIMEOUT|08|57P0)/;
const DATA = /^(22|23|54)/;

export function classify(error: unknown): ErrorClass {
  const code = codeOf(error);
  if (code === undefined) return 'other';
  if (code === '23505') return 'duplicate';
  if (CONNECTION.test(code)) return 'connection';
  if (TRANSIENT.test(code)) return 'transient';
  if (DATA.test(code)) return 'data';
  return isSystemError(error) ? 'connection' : 'other';
}

/**
 * Maps the errors that mean "the database is out of reach or refuses" to StoreUnavailable. Returns every
 * other error unchanged.
 */
export function asUnavailable(call: string, error: unknown): unknown {
  const kind = classify(error);
  if (kind !== 'connection' && kind !== 'transient') return error;
  return new StoreUnavailable(`${call}: ${messageOf(error)}`, { cause: error });
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node reports a refused connection to a name with several addresses as an AggregateError without a
  // message.
  return error.message || codeOf(error) || error.name;
}

export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** No answer came in time. The connection is given up, because an answer may still be under way. */
export class AnswerTimeout extends Error {
  override name = 'AnswerTimeout';
  readonly code = 'CONNECTION_ANSWER_TIMEOUT';
}

/** Errors of sockets and name resolution (ECONNREFUSED, EPIPE, ENOTFOUND …). */
const isSystemError = (error: unknown): boolean =>
  error instanceof Error &&
  ('syscall' in error || /^(E[A-Z]+|EAI_[A-Z]+|ERR_TLS.*|ERR_SSL.*)$/.test(codeOf(error) ?? ''));
