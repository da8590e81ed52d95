// The PostgreSQL store under the contract.
import postgres from 'postgres';
import { decodeRun, encodeRun } from '../../actors/storage/postgres/run.ts';
import {
  createControlStore,
  createFoldStore,
  createWorkerStore,
} from '../../actors/storage/store-postgres.ts';
import { freshDatabase } from '../support/postgres.ts';
import { contract } from './contract.ts';

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
      // At once, or somewhere in the statement or its commit: the sleep is on the server and spreads the moments.
      const seconds = (losses++ % 10) * 0.000_4;
      await admin`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity, pg_sleep(${seconds})
        WHERE application_name = ${`troupe:${session}`}`;
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
