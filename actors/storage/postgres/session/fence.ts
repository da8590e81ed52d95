// Fences sessions: once `fence` returns true, none of their rows can land. It waits for their statements in
// flight, and ends the backends that keep a row locked (a stopped process holds its half-sent batch for
// ever).
import { type FenceVictim, type SessionId, type SessionRef, StoreUnavailable } from '../../store.ts';
import { type Sql, textArray } from '../connection/connect.ts';
import { codeOf } from '../connection/errors.ts';
import { DATABASE_OID, foldName, poolName, writeName } from './session.ts';

/**
 * A round waits 250 ms for the locks. Backends that were told to end release their locks in the next round.
 */
const ROUNDS = 8;

/** Answer of troupe_fence. */
const TOO_SOON = -2;

/** lock_not_available, and deadlock_detected in case a third party locks sessions in another order. */
const LOCKED = new Set(['55P03', '40P01']);

/**
 * With `gapMs`, the answer is 'too-soon' while the cluster's last fence is younger. False if `me` is not
 * live.
 */
export async function fence(
  sql: Sql,
  me: SessionRef,
  victim: FenceVictim,
  gapMs: number,
): Promise<boolean | 'too-soon'> {
  const run = 'run' in victim ? victim.run : null;
  const session = 'session' in victim ? victim.session : null;
  for (let round = 1; ; round++) {
    try {
      // The function must be alone in its statement. Together with others, their snapshot would be older
      // than the wait for the locks.
      const [row] = await sql<{ fenced: number }[]>`
        SELECT troupe_fence(${me.id}, ${me.nonce}, ${run}, ${session}, ${gapMs}) AS fenced`;
      return row?.fenced === TOO_SOON ? 'too-soon' : row !== undefined && row.fenced >= 0;
    } catch (error) {
      if (!LOCKED.has(codeOf(error) ?? '')) throw error;
      if (round === ROUNDS) throw new StoreUnavailable('fence: a session stays locked', { cause: error });
      await endBackends(sql, run, session);
    }
  }
}

/**
 * Ends the backends that may lock the victims' rows: the victims' own connections, and the folding
 * connections of their run.
 */
async function endBackends(sql: Sql, run: string | null, session: SessionId | null): Promise<void> {
  const victims = await sql<{ id: SessionId; run: string; database: number }[]>`
    SELECT id, run, ${sql.unsafe(DATABASE_OID)} AS database
    FROM session WHERE (run = ${run} OR id = ${session}) AND state <> 'fenced'`;
  const names = victims.flatMap(({ id, run: victim, database }) => [
    writeName(database, id),
    poolName(database, id),
    foldName(victim),
  ]);
  await sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = ANY(${textArray(sql, [...new Set(names)])})
      AND pid <> pg_backend_pid()`;
}
