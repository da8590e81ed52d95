// Starts what a node needs for the past of documents: a store, and threads. Both open nothing before the first request.
import { randomBytes } from 'node:crypto';
import type { PastTask } from '../../actors/compute/past-worker.ts';
import { createPastStore } from '../../actors/storage/past-store-postgres.ts';
import type { ReplicaOptions } from '../../actors/storage/store-postgres.ts';
import type { Config } from '../../config/schema.ts';
import { startPastPool } from '../compute/past-pool.ts';
import { AuthorsAhead, type WrittenSnapshot } from './authors-ahead.ts';
import { Past } from './past.ts';

export interface StartedPast {
  readonly past: Past;
  /** As in AuthorsAhead. */
  snapshotWritten(snapshot: WrittenSnapshot): void;
  /** As in the control store. */
  refuseBelow(timeline: number): void;
  /** Gives up the work under way. */
  close(): Promise<void>;
}

export interface StartPastOptions {
  readonly config: Pick<Config, 'history'>;
  /** The database. Its lowest timeline may rise. */
  readonly storage: PastTask['storage'];
  /** Replicas for reads, also of the threads. */
  readonly replicas?: ReplicaOptions | undefined;
  /** Called when a thread could not start, or ended between two jobs. */
  readonly onEnded: (error: unknown) => void;
  readonly log: (level: 'warn', message: string, fields: object) => void;
}

export function startPast({ config, storage, replicas, onEnded, log }: StartPastOptions): StartedPast {
  const { threads, timeoutMs, waiting, connections, cacheBytes, namedVersions } = config.history;
  const storageNow = (): PastTask['storage'] => (replicas === undefined ? storage : { ...storage, replicas });
  const store = createPastStore(storageNow(), connections);
  const pool = startPastPool({ threads, timeoutMs, waiting, onEnded });
  const past = new Past({
    store,
    pool,
    storage: storageNow,
    cacheBytes,
    namedVersions,
    newClientId: () => randomBytes(4).readUInt32LE(),
  });
  const ahead = new AuthorsAhead({
    past,
    onProblem: (error, doc) =>
      log('warn', 'the authors of a long document could not be kept', { doc, error: String(error) }),
  });
  return {
    past,
    snapshotWritten: (snapshot) => ahead.snapshotWritten(snapshot),
    refuseBelow: (timeline) => store.refuseBelow(timeline),
    close: async () => {
      ahead.end();
      await pool.stop();
      await store.close();
      await ahead.idle();
    },
  };
}
