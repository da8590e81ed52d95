// The PostgreSQL store under the contract.
import postgres from 'postgres';
import { decodeRun, encodeRun } from '../../../actors/storage/postgres/connection/run.ts';
import {
  createControlStore,
  createFoldStore,
  createWorkerStore,
} from '../../../actors/storage/store-postgres.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { contract } from '../contract/contract.ts';
import { writeNameOf } from './support.ts';

contract('postgres', async (t) => {
  const url = await freshDatabase(t);
  const admin = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  t.after(() => admin.end({ timeout: 1 }));
  let losses = 0;
  const closedAfter = <T extends { close(): Promise<void>; abort?(): void }>(store: T): T => {
    t.after(() => (store.abort ? store.abort() : store.close()));
    return store;
  };
  return {
    control: () => closedAfter(createControlStore({ url })),
    worker: () => closedAfter(createWorkerStore({ url })),
    fold: (run) => closedAfter(createFoldStore({ url, run })),
    loseConnection: async (session) => {
      // The connection is lost at once, or somewhere in the statement or its commit. The sleep is on the
      // server and spreads the moments.
      const seconds = (losses++ % 10) * 0.000_4;
      await admin`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity, pg_sleep(${seconds})
        WHERE application_name = ${await writeNameOf(admin, session)}`;
    },
    holdLock: async ({ session }) => {
      // A stopped process leaves the row locked by an open transaction of the session's backend.
      const stopped = postgres(url, {
        max: 1,
        fetch_types: false,
        onnotice: () => undefined,
        connection: { application_name: await writeNameOf(admin, session.id) },
      });
      t.after(() => stopped.end({ timeout: 0 }));
      await stopped.unsafe('BEGIN');
      await stopped`SELECT 1 FROM session WHERE id = ${session.id} FOR SHARE`;
      return () => stopped.end({ timeout: 0 });
    },
    loseAllConnections: async () => {
      await admin`
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`;
    },
    age: async (ms) => {
      await admin`UPDATE fencing SET last_at = last_at - ${ms} * interval '1 millisecond'`;
      await admin`UPDATE document SET deleted_at = deleted_at - ${ms} * interval '1 millisecond'`;
    },
    loseAbove: async (doc, version) => {
      await admin`DELETE FROM delta WHERE doc = ${doc} AND first > ${version}`;
      // The contract's version may stand inside a run.
      const [cut] = await admin<{ first: string; last: string; ops: Buffer }[]>`
        SELECT first, last, ops FROM delta WHERE doc = ${doc} AND last > ${version}`;
      if (!cut) return;
      const rest = encodeRun(decodeRun(cut.ops).slice(0, version - Number(cut.last)));
      await admin`
        UPDATE delta SET last = ${version}, ops = ${rest} WHERE doc = ${doc} AND first = ${cut.first}`;
    },
  };
});
