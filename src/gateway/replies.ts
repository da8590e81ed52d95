// What the gateway itself answers when something is wrong: errors in the words of the contract, with
// what they are about. Answers of owners pass elsewhere.
import { ERROR_CODES, type ErrorCode } from '../../protocol/errors.ts';
import type { RequestId } from '../../protocol/messages.ts';
import { isSeq } from '../../protocol/names.ts';
import type { Session } from './session.ts';

/** What an error is about. */
export type About = { id?: RequestId; doc?: string; seq?: number; retryAfterMs?: number };

/** Told with `overloaded` and `unavailable`: this, less or more by half. */
const RETRY_AFTER_MS = 500;

export class Replies {
  /** 0 ≤ x < 1. */
  private readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  error(session: Session, code: ErrorCode, message: string, about: About): void {
    session.send({ type: 'error', code, message, retryable: ERROR_CODES[code], ...about });
  }

  /**
   * Tells when to try again, where that may help: after what `about` has, if anything, and spread out, since many may be
   * told at once.
   */
  later(session: Session, code: ErrorCode, message: string, about: About): void {
    const { retryAfterMs: atLeastMs = 0, ...rest } = about;
    const retryAfterMs = Math.ceil(atLeastMs + RETRY_AFTER_MS * (0.5 + this.random()));
    this.error(session, code, message, ERROR_CODES[code] ? { ...rest, retryAfterMs } : rest);
  }
}

export function idOf(message: Record<string, unknown>): { id?: RequestId } {
  const { id } = message;
  // Half a surrogate pair is no text in MessagePack.
  return (typeof id === 'string' && id.isWellFormed()) || typeof id === 'number' ? { id } : {};
}

/** What an error tells of the message it answers. */
export function echo(message: Record<string, unknown>): About {
  const { doc, seq } = message;
  return {
    ...idOf(message),
    ...(typeof doc === 'string' && doc.length <= 264 && doc.isWellFormed() ? { doc } : {}),
    ...(message.type === 'submit' && isSeq(seq) ? { seq } : {}),
  };
}
