// The database for commands: a control store of the configured PostgreSQL for as long as a command runs. The
// database sees its connections as those of a command, not of a node.
import { runningEmbeddedUrl, startEmbeddedPostgres } from '../../actors/storage/embedded-postgres.ts';
import type { ControlStore } from '../../actors/storage/store.ts';
import {
  type ControlStoreOptions,
  createControlStore,
  type PostgresStoreOptions,
} from '../../actors/storage/store-postgres.ts';
import { EXIT, StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { type PostgresStartOptions, waitForPostgres } from '../database/postgres-start.ts';

const NAME = 'troupe-command';

/**
 * Starts an embedded PostgreSQL for the command; if a running node uses it, the command fails and says so.
 * With `onWaiting` the command waits for a PostgreSQL that is not up yet, as a node does.
 */
export async function withDatabase<T>(
  config: Config,
  work: (store: ControlStore) => Promise<T>,
  onWaiting?: PostgresStartOptions['onWaiting'],
): Promise<T> {
  const { url, embedded, startTimeoutMs, connectTimeoutMs, answerTimeoutMs } = config.storage;
  const timeouts = { connectTimeoutMs, answerTimeoutMs };
  if (url !== 'embedded' && onWaiting !== undefined)
    await waitForPostgres({ storage: { url, ...timeouts }, timeoutMs: startTimeoutMs, onWaiting });
  if (url !== 'embedded') return await withStore(url, timeouts, work);
  const server = await startEmbeddedPostgres({ directory: embedded.directory });
  try {
    return await withStore(server.url, timeouts, work);
  } finally {
    await server.stop();
  }
}

/** For commands that use a store of their own in a database with the present schema, also beside an embedded node that runs. */
export function withCommandStorage<T>(
  config: Config,
  work: (storage: ControlStoreOptions) => Promise<T>,
): Promise<T> {
  return withRunningDatabase(config, async (options) => {
    await withStore(options.url, config.storage, demandSchema);
    return await work({ ...options, name: NAME });
  });
}

/** The embedded PostgreSQL is that of the node that runs; if none does, it is started for the command. */
export async function withRunningDatabase<T>(
  { storage }: Config,
  work: (options: PostgresStoreOptions) => Promise<T>,
): Promise<T> {
  const { url, embedded, connectTimeoutMs, answerTimeoutMs } = storage;
  const timeouts = { connectTimeoutMs, answerTimeoutMs };
  if (url !== 'embedded') return await work({ url, ...timeouts });
  const running = await runningEmbeddedUrl(embedded.directory);
  if (running !== undefined) return await work({ url: running, ...timeouts });
  const server = await startEmbeddedPostgres({ directory: embedded.directory });
  try {
    return await work({ url: server.url, ...timeouts });
  } finally {
    await server.stop();
  }
}

/** For commands that talk to running nodes, or report on them. */
export function withCluster<T>(config: Config, work: (store: ControlStore) => Promise<T>): Promise<T> {
  if (config.storage.url === 'embedded') {
    throw new StartError(
      'an embedded PostgreSQL belongs to one node alone; for a cluster give the storage.url that its nodes have',
      { exitCode: EXIT.config },
    );
  }
  return withDatabase(config, async (store) => {
    await demandSchema(store);
    return await work(store);
  });
}

export async function demandSchema(store: ControlStore): Promise<void> {
  const missing = await store.pendingMigrations();
  if (missing.length === 0) return;
  throw new StartError(
    `the database lacks ${missing.length} migrations (${missing.join(', ')}): run troupe migrate`,
  );
}

async function withStore<T>(
  url: string,
  { connectTimeoutMs, answerTimeoutMs }: Pick<Config['storage'], 'connectTimeoutMs' | 'answerTimeoutMs'>,
  work: (store: ControlStore) => Promise<T>,
): Promise<T> {
  const store = createControlStore({ url, connectTimeoutMs, answerTimeoutMs, name: NAME });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
