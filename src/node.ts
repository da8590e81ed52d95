// One node put together: storage, workers, compute pool, gateway, HTTP; and taken apart again in
// reverse. What opens registers its closer. Nothing here touches a document.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { Piscina } from 'piscina';
import { systemClock } from '../actors/clock.ts';
import type { FoldTask } from '../actors/fold-worker.ts';
import type { FoldRequest, HostLimits } from '../actors/host.ts';
import { startEmbeddedPostgres } from '../actors/storage/embedded-postgres.ts';
import type { ControlStore, SessionRef } from '../actors/storage/store.ts';
import { createControlStore } from '../actors/storage/store-postgres.ts';
import { Alone } from '../cluster/alone.ts';
import { Router } from '../cluster/router.ts';
import { Workers } from '../cluster/workers.ts';
import { StartError } from '../config/fatal.ts';
import type { Config } from '../config/schema.ts';
import { Gateway } from './gateway/gateway.ts';
import { Sockets } from './gateway/sockets.ts';
import { createHttpServer, listen } from './http/server.ts';
import { testSelf } from './self-test.ts';

export interface NodeOptions {
  readonly log: Logger;
  /** The module of the worker threads; tests run one with faults in it. */
  readonly workerModule?: URL;
}

export interface RunningNode {
  /** Where the page is. */
  readonly url: string;
  readonly port: number;
  /** URL of the database. */
  readonly storageUrl: string;
  /** Commits what was taken, closes the sockets, ends what was started. */
  stop(): Promise<void>;
  /** Resolves when the node cannot go on; never otherwise. */
  readonly failed: Promise<Error>;
}

const SESSION_POLL_MS = 1000;
const LINK = { windowMessages: 20_000, queueMessages: 20_000, gatherMs: 0 };
const FOLDS_WAITING = 1000;
const SOCKETS_CLOSE_MS = 2000;
const SELF_TEST_MS = 10_000;

/** Rejects with StartError for what a person can mend; what had been started is stopped then. */
export async function startNode(config: Config, options: NodeOptions): Promise<RunningNode> {
  const closers: (() => Promise<unknown>)[] = [];
  const stop = once(async () => {
    let failure: unknown;
    for (const close of closers.reverse()) {
      try {
        await close();
      } catch (error) {
        failure ??= error;
        options.log.error({ err: error }, 'stopping');
      }
    }
    if (failure !== undefined) throw failure;
  });
  try {
    return await assemble(config, options, (close) => closers.push(close), stop);
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

async function assemble(
  config: Config,
  { log, workerModule }: NodeOptions,
  onStop: (close: () => Promise<unknown>) => void,
  stop: () => Promise<void>,
): Promise<RunningNode> {
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  let ready = false;
  // The port first: a busy one is told before anything else is started.
  const http = await createHttpServer({ ...config.listen, isReady: () => ready });
  const port = await listen(http, { ...config.listen, isReady: () => ready });
  onStop(() => http.close());

  const run = randomUUID();
  const storageUrl = await openStorage(config, log, onStop);
  const storage = {
    url: storageUrl,
    connectTimeoutMs: config.storage.connectTimeoutMs,
    readConnections: config.storage.readConnections,
  };
  const control = createControlStore(storage);
  onStop(() => control.close());
  await migrate(config, control, log);
  const session = await takeOver(control, { run, node: config.node.name, slot: -1 }, log);

  const compute = new Piscina({
    filename: new URL('../actors/fold-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: config.compute.threads,
    maxQueue: FOLDS_WAITING,
    idleTimeout: 60_000,
  });
  onStop(() => compute.destroy());
  const fold = (request: FoldRequest): Promise<number | undefined> =>
    compute.run({ storage: { ...storage, run }, request } satisfies FoldTask);

  const router = new Router();
  const gateway = new Gateway({
    node: config.node.name,
    limits: config.limits,
    router,
    unansweredBytes: config.gateway.outboxBytes,
    now: () => sockets.now,
    newClientId: () => randomBytes(12).toString('base64url'),
    random: Math.random,
  });
  const sockets = new Sockets({ gateway, limits: config.limits, ...config.gateway });
  const writeLog = (level: 'info' | 'warn' | 'error', message: string, fields: object): void =>
    log[level](fields, message);
  const takenOver = (): void =>
    fail(new StartError('another node has taken this database over; one database serves one node'));
  const alone = new Alone({
    slots: config.workers,
    router,
    listener: gateway,
    clock: systemClock,
    log: writeLog,
    onFenced: takenOver,
  });
  const workers = new Workers({
    slots: config.workers,
    run,
    node: config.node.name,
    heapMb: config.worker.heapMb,
    storage,
    limits: hostLimits(config),
    control,
    controlSession: session,
    liveness: null,
    slotListener: alone,
    messages: (link, messages) => gateway.messages(link, messages),
    fold,
    log: writeLog,
    ...(workerModule === undefined ? {} : { workerModule }),
  });
  onStop(() => workers.kill());
  onStop(() => sockets.close(SOCKETS_CLOSE_MS));
  onStop(() => workers.stop());
  onStop(async () => alone.stop());
  await alone.serve(workers);
  watchSession(control, session, log, onStop, takenOver);
  sweepHistory(config, control, log, onStop);
  http.server.on('upgrade', sockets.upgrade);
  await testSelf({ host: config.listen.host, port, timeoutMs: SELF_TEST_MS }).catch((error: unknown) => {
    throw new StartError(`the node does not answer on its own port ${port}: ${String(error)}`);
  });
  ready = true;
  onStop(async () => {
    ready = false;
  });
  const host = config.listen.host.includes(':') ? `[${config.listen.host}]` : config.listen.host;
  return { url: `http://${host}:${port}/`, port, storageUrl, stop, failed };
}

async function openStorage(
  config: Config,
  log: Logger,
  onStop: (close: () => Promise<unknown>) => void,
): Promise<string> {
  if (config.storage.url !== 'embedded') return config.storage.url;
  const embedded = await startEmbeddedPostgres({
    directory: config.storage.embedded.directory,
    log: (message) => log.info({ storage: 'embedded' }, message),
  });
  onStop(() => embedded.stop());
  return embedded.url;
}

async function migrate(config: Config, control: ControlStore, log: Logger): Promise<void> {
  if (config.storage.migrate) {
    const applied = await control.migrate();
    if (applied.length > 0) log.info({ migrations: applied }, 'schema migrated');
    return;
  }
  const missing = await control.pendingMigrations();
  if (missing.length > 0) {
    throw new StartError(
      `the database lacks ${missing.length} migrations (${missing.join(', ')}): run troupe migrate, or set storage.migrate=true`,
    );
  }
}

/** Alone with this database: whatever ran before is fenced, and its shards are free. */
async function takeOver(
  control: ControlStore,
  identity: { run: string; node: string; slot: number },
  log: Logger,
): Promise<SessionRef> {
  const session = await control.openSession(identity);
  const runs = new Set((await control.foreignSessions(identity.run)).map((other) => other.run));
  for (const run of runs) {
    if (!(await control.fence(session, { run }))) {
      throw new StartError('another node took this database over while this one was starting');
    }
  }
  if (runs.size > 0) log.info({ runs: runs.size }, 'fenced what an earlier run left');
  return session;
}

/** A node whose session somebody else has fenced must end: its database belongs to another. */
function watchSession(
  control: ControlStore,
  session: SessionRef,
  log: Logger,
  onStop: (close: () => Promise<unknown>) => void,
  takenOver: () => void,
): void {
  let asking = false;
  const timer = setInterval(() => {
    if (asking) return;
    asking = true;
    control
      .sessionState(session.id)
      .then(
        (state) => {
          if (state === 'live') return;
          clearInterval(timer);
          takenOver();
        },
        (error: unknown) => log.debug({ err: error }, 'the session is not confirmed'),
      )
      .finally(() => {
        asking = false;
      });
  }, SESSION_POLL_MS);
  onStop(async () => clearInterval(timer));
}

function sweepHistory(
  config: Config,
  control: ControlStore,
  log: Logger,
  onStop: (close: () => Promise<unknown>) => void,
): void {
  const { keepMs, keepOps, sweepMs } = config.retention;
  if (keepMs === null) return;
  const olderThanMs = Math.max(keepMs, config.limits.historyMs, config.limits.clientMemoryMs);
  const timer = setInterval(() => {
    control
      .compact({ olderThanMs, keepOps: Math.max(keepOps, config.limits.historyOps), limit: SWEEP_ROWS })
      .then(
        (rows) => rows > 0 && log.info({ rows }, 'history folded away'),
        (error: unknown) => log.warn({ err: error }, 'history is not folded away'),
      );
  }, sweepMs);
  onStop(async () => clearInterval(timer));
}

const SWEEP_ROWS = 10_000;

function hostLimits(config: Config): HostLimits {
  const { limits, actors, commit, snapshot } = config;
  return {
    actor: {
      documentBytes: limits.documentBytes,
      depth: limits.depth,
      receiveBytes: limits.receiveBytes,
      residentOps: actors.residentOps,
      historyOps: limits.historyOps,
      mailbox: { messages: actors.mailboxMessages, bytes: actors.mailboxBytes },
      snapshotMinBytes: snapshot.minBytes,
      snapshotRatio: snapshot.ratio,
    },
    commit: {
      maxRows: commit.maxRows,
      maxBytes: commit.maxBytes,
      queueBytes: commit.queueBytes,
      lingerMs: commit.lingerMs,
    },
    link: LINK,
    memoryBytes: actors.memoryBytes,
    idleMs: actors.idleMs,
  };
}

function once<T>(act: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= act();
    return result;
  };
}
