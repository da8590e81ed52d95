// The rates of one client's messages: token buckets that hold the tokens of one second. That of opens holds at least as
// many as the socket may have documents open.
import { CLOSE_CODES } from '../../../protocol/errors.ts';
import type { Limits } from '../../../protocol/limits.ts';
import type { ClientConnection } from '../client-connection.ts';

/** Refusals within a second, as a multiple of the rate, after which the socket is closed with 4429. */
const FLOOD = 2;

/** 0 if the submit is taken. Otherwise the ms until the next token. */
export function takeSubmit(connection: ClientConnection, limits: Limits, now: number): number {
  refill(connection, limits, now);
  if (connection.submitTokens >= 1) {
    connection.submitTokens--;
    return 0;
  }
  return refuse(connection, limits.submitsPerSecond);
}

export function takePresence(connection: ClientConnection, limits: Limits, now: number): number {
  refill(connection, limits, now);
  if (connection.presenceTokens >= 1) {
    connection.presenceTokens--;
    return 0;
  }
  return refuse(connection, limits.presencesPerSecond);
}

/** Opens are expensive: a whole document may be read and sent. */
export function takeOpen(connection: ClientConnection, limits: Limits, now: number): number {
  refill(connection, limits, now);
  if (connection.openTokens >= 1) {
    connection.openTokens--;
    return 0;
  }
  return refuse(connection, limits.opensPerSecond);
}

/** Opens that may come at once. A client that reconnects opens all its documents. */
export const opensAtOnce = (limits: Limits): number => Math.max(limits.openDocuments, limits.opensPerSecond);

function refill(connection: ClientConnection, limits: Limits, now: number): void {
  const seconds = (now - connection.refilled) / 1000;
  if (seconds <= 0) return;
  connection.refilled = now;
  connection.submitTokens = Math.min(
    limits.submitsPerSecond,
    connection.submitTokens + seconds * limits.submitsPerSecond,
  );
  connection.presenceTokens = Math.min(
    limits.presencesPerSecond,
    connection.presenceTokens + seconds * limits.presencesPerSecond,
  );
  connection.openTokens = Math.min(
    opensAtOnce(limits),
    connection.openTokens + seconds * limits.opensPerSecond,
  );
  connection.refusals = Math.max(0, connection.refusals - seconds * limits.submitsPerSecond);
}

function refuse(connection: ClientConnection, perSecond: number): number {
  if (++connection.refusals > FLOOD * Math.max(perSecond, MIN_FLOOD))
    connection.close(CLOSE_CODES.rateLimited, 'rate-limited');
  return Math.ceil(1000 / perSecond);
}

const MIN_FLOOD = 500;
