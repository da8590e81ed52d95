// Waits for a PostgreSQL that is not up yet, as when node and database start together. A failure that does
// not pass by itself (a wrong password, a missing database or right, a pooler) ends the wait at once.
import { unlessAborted } from '../../actors/abortable.ts';
import { type Clock, pause, systemClock } from '../../actors/clock.ts';
import { messageOf } from '../../actors/storage/postgres/connection/errors.ts';
import { firstContact, type PostgresStoreOptions, Servers } from '../../actors/storage/store-postgres.ts';
import { StartError } from '../../config/fatal.ts';
import { showDuration } from '../../config/keys/units.ts';
import { explainPostgres, mayPass } from './postgres-failure.ts';

export interface PostgresStartOptions {
  readonly storage: PostgresStoreOptions;
  /** Time for attempts. The last attempt may end later, by the time-outs of `storage`. */
  readonly timeoutMs: number;
  /** Called after the first failed attempt, and about every five seconds. */
  readonly onWaiting: (waiting: { readonly reason: string; readonly timeoutMs: number }) => void;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
const TELL_EVERY_MS = 5_000;

/** Resolves when PostgreSQL can be used. Rejects with StartError. */
export async function waitForPostgres(options: PostgresStartOptions): Promise<void> {
  const { storage, timeoutMs, onWaiting, signal, clock = systemClock } = options;
  const servers = new Servers(storage.url);
  const until = clock.now() + timeoutMs;
  let tellAt = clock.now();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await unlessAborted(signal ?? NEVER, firstContact(storage, servers));
    } catch (error) {
      signal?.throwIfAborted();
      if (!mayPass(error)) throw explainPostgres(error) ?? error;
      const reason = messageOf(error).split('\n')[0] ?? '';
      if (clock.now() + pauseMs > until) {
        const how = timeoutMs === 0 ? '' : ` (tried for ${showDuration(timeoutMs)}: storage.startTimeoutMs)`;
        throw new StartError(`cannot reach PostgreSQL${how}: ${reason}`, { cause: error });
      }
      if (clock.now() >= tellAt) {
        onWaiting({ reason, timeoutMs });
        tellAt = clock.now() + TELL_EVERY_MS;
      }
      await unlessAborted(signal ?? NEVER, pause(clock, pauseMs));
    }
  }
}

const NEVER = new AbortController().signal;
