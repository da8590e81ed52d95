// The rates of one client's messages: token buckets that hold the tokens of one second.
import { CLOSE } from '../../../protocol/errors.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { Session } from '../session.ts';

/** Refusals within a second, as a multiple of the rate, after which the socket is closed with 4429. */
const FLOOD = 2;

/** 0 if the submit is taken. Otherwise the ms until the next token. */
export function takeSubmit(session: Session, limits: Limits, now: number): number {
  refill(session, limits, now);
  if (session.submitTokens >= 1) {
    session.submitTokens--;
    return 0;
  }
  return refuse(session, limits.submitsPerSecond);
}

export function takePresence(session: Session, limits: Limits, now: number): number {
  refill(session, limits, now);
  if (session.presenceTokens >= 1) {
    session.presenceTokens--;
    return 0;
  }
  return refuse(session, limits.presencesPerSecond);
}

/**
 * Opens are expensive, because a whole document may be sent. All documents may be opened at once after a
 * reconnect, but not again and again.
 */
export function takeOpen(session: Session, limits: Limits, now: number): number {
  refill(session, limits, now);
  if (session.openTokens >= 1) {
    session.openTokens--;
    return 0;
  }
  return refuse(session, opensAtOnce(limits) * OPENS_PER_SECOND);
}

/** Opens that may come at once: as many as the socket may have documents open, and at least this many. */
const LEAST_OPENS = 100;
/** Part of that number that may be opened per second. */
const OPENS_PER_SECOND = 0.1;

export const opensAtOnce = (limits: Limits): number => Math.max(limits.openDocuments, LEAST_OPENS);

function refill(session: Session, limits: Limits, now: number): void {
  const seconds = (now - session.refilled) / 1000;
  if (seconds <= 0) return;
  session.refilled = now;
  session.submitTokens = Math.min(
    limits.submitsPerSecond,
    session.submitTokens + seconds * limits.submitsPerSecond,
  );
  session.presenceTokens = Math.min(
    limits.presencesPerSecond,
    session.presenceTokens + seconds * limits.presencesPerSecond,
  );
  session.openTokens = Math.min(
    opensAtOnce(limits),
    session.openTokens + seconds * opensAtOnce(limits) * OPENS_PER_SECOND,
  );
  session.refusals = Math.max(0, session.refusals - seconds * limits.submitsPerSecond);
}

function refuse(session: Session, perSecond: number): number {
  if (++session.refusals > FLOOD * Math.max(perSecond, MIN_FLOOD))
    session.close(CLOSE.rateLimited, 'rate-limited');
  return Math.ceil(1000 / perSecond);
}

const MIN_FLOOD = 500;
