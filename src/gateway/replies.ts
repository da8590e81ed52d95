// The gateway's own answers to requests that fail: errors in the words of the contract, with the request that
// they concern. Answers of owners take another way.
import { METRICS } from '../../actors/metrics/metrics.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import { ERROR_CODES, type ErrorCode, isOpenSubmitCode } from '../../protocol/errors.ts';
import type { RequestId } from '../../protocol/messages.ts';
import { isSeq } from '../../protocol/names.ts';
import type { ClientConnection } from './client-connection.ts';

/** The request that an error concerns. */
export type About = { id?: RequestId; doc?: string; seq?: number; retryAfterMs?: number };

/** Delay told with `overloaded` and `unavailable`, varied at random by up to half. */
const RETRY_AFTER_MS = 500;

export const TOKEN_ENDED = 'the token has expired: send hello with a new one';

export class Replies {
  /** 0 ≤ x < 1. */
  readonly #random: () => number;
  readonly #counts: ThreadCounts;

  constructor(random: () => number, counts: ThreadCounts) {
    this.#random = random;
    this.#counts = counts;
  }

  error(connection: ClientConnection, code: ErrorCode, message: string, about: About): void {
    if (about.seq !== undefined && isOpenSubmitCode(code)) this.#counts.countAs(METRICS.editsLeftOpen, code);
    connection.send({ type: 'error', code, message, retryable: ERROR_CODES[code], ...about });
  }

  /** Answers a request of a user whose token has ended. The same request may succeed after a new hello. */
  ended(connection: ClientConnection, about: About, message = TOKEN_ENDED): void {
    connection.send({
      type: 'error',
      code: 'unauthenticated',
      message,
      retryable: true,
      ...about,
    });
  }

  /**
   * Tells the client when to try again, if that may help: after the time in `about`, if any, and spread out,
   * since many clients may be told at once.
   */
  later(connection: ClientConnection, code: ErrorCode, message: string, about: About): void {
    const { retryAfterMs: atLeastMs = 0, ...rest } = about;
    const retryAfterMs = Math.ceil(atLeastMs + RETRY_AFTER_MS * (0.5 + this.#random()));
    this.error(connection, code, message, ERROR_CODES[code] ? { ...rest, retryAfterMs } : rest);
  }
}

export function idOf(message: Record<string, unknown>): { id?: RequestId } {
  const { id } = message;
  // Half a surrogate pair cannot be written as text in MessagePack.
  return (typeof id === 'string' && id.isWellFormed()) || typeof id === 'number' ? { id } : {};
}

/** The parts of a message that an error about it repeats. */
export function echo(message: Record<string, unknown>): About {
  const { doc, seq } = message;
  return {
    ...idOf(message),
    ...(typeof doc === 'string' && doc.length <= 264 && doc.isWellFormed() ? { doc } : {}),
    ...(message.type === 'submit' && isSeq(seq) ? { seq } : {}),
  };
}
