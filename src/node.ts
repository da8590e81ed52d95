// Assembles one node from storage, workers, compute pool, gateway and HTTP, and stops them in reverse order.
// Each part registers its closer when it opens. This module touches no document.
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { unlessAborted } from '../actors/abortable.ts';
import { systemClock } from '../actors/clock.ts';
import type { Folded, FoldRequest } from '../actors/compute/fold.ts';
import { METRICS } from '../actors/metrics/metrics.ts';
import { SELF_TEST_DOCUMENT } from '../actors/self-test.ts';
import { createControlStore, createRequestStore } from '../actors/storage/store-postgres.ts';
import { Router } from '../cluster/shards/router.ts';
import { isClustered } from '../config/clustered.ts';
import { StartError } from '../config/fatal.ts';
import type { Config } from '../config/schema.ts';
import { showHostPort } from '../config/urls/host-port.ts';
import { version } from './cli/version.ts';
import { startFoldPool } from './compute/fold-pool.ts';
import { startSnapshotPool } from './compute/snapshot-pool.ts';
import { DatabaseHealth } from './database/database-health.ts';
import { eraseNowAndThen } from './database/erasing.ts';
import { migrate, openStorage } from './database/open-database.ts';
import { waitForPostgres } from './database/postgres-start.ts';
import { replicasOf } from './database/replicas.ts';
import { sweepHistory } from './database/sweeping.ts';
import { startEvents } from './events/start-events.ts';
import { EditClock } from './gateway/edit-clock.ts';
import { Gateway } from './gateway/gateway.ts';
import { Addresses } from './gateway/quotas/addresses.ts';
import { SharedQuotas } from './gateway/quotas/shared-quotas.ts';
import { Origins } from './gateway/sockets/origins.ts';
import { Sockets } from './gateway/sockets/sockets.ts';
import { hostLimits } from './host-limits.ts';
import { apiPartsOf } from './http/api/parts.ts';
import { RequestCounts } from './http/api/request-counts.ts';
import type { ApiParts } from './http/api/room.ts';
import { DocumentRequests } from './http/documents/document-requests.ts';
import { startFormatPool } from './http/documents/formats/format-pool.ts';
import { certificateOf } from './http/listener-certificate.ts';
import { createHttpServer, listen } from './http/server.ts';
import { SelfIdentity } from './identity/self-identity.ts';
import { startIdentity } from './identity/start-identity.ts';
import { startUsers } from './identity/start-users.ts';
import { balanceClients } from './membership/client-balance.ts';
import { checkConnections } from './membership/connection-budget.ts';
import { Leaving } from './membership/leaving.ts';
import { type Neighbours, startOwnership } from './membership/ownership.ts';
import { testSelf } from './membership/self-test.ts';
import { sendClientsAway } from './membership/sending-away.ts';
import { tellChangedNodes } from './membership/told-nodes.ts';
import { EditRate } from './observability/edit-rate.ts';
import { nodeFigures, nodeReadings } from './observability/node-readings.ts';
import { startMetrics } from './observability/start-metrics.ts';
import { once } from './once.ts';
import { startPast } from './past/start-past.ts';
import { yjsEndpoints } from './yjs/endpoints.ts';

export interface NodeOptions {
  readonly log: Logger;
  /** The module of the worker threads. Tests run a module that injects faults. */
  readonly workerModule?: URL;
  /** The module of the threads that fold snapshots, in the same way. */
  readonly foldModule?: URL;
  /**
   * Aborted while the node starts: the start is given up at once, and `startNode` rejects with the reason.
   */
  readonly signal?: AbortSignal;
}

export interface RunningNode {
  /** URL of the page. */
  readonly url: string;
  readonly port: number;
  /** URL of `/metrics`. */
  readonly metricsUrl: string;
  /** URL of the database. */
  readonly storageUrl: string;
  /** Commits the accepted patches, closes the sockets, and ends all that was started. */
  stop(): Promise<void>;
  /** Resolves when the node cannot go on, and stays pending otherwise. */
  readonly failed: Promise<Error>;
}

const SOCKETS_CLOSE_MS = 2000;
const SELF_TEST_MS = 10_000;

/** Rejects with StartError if a person can mend the cause. Parts that had started are stopped then. */
export async function startNode(config: Config, options: NodeOptions): Promise<RunningNode> {
  const closers: (() => Promise<unknown>)[] = [];
  const stop = once(async () => {
    let failure: unknown;
    for (const close of closers.reverse()) {
      try {
        await close();
      } catch (error) {
        failure ??= error;
        options.log.error({ err: error }, 'a step of stopping failed');
      }
    }
    if (failure !== undefined) throw failure;
  });
  try {
    return await assemble(config, options, (close) => closers.push(close), stop);
  } catch (error) {
    await stop().catch(() => undefined);
    options.signal?.throwIfAborted();
    throw error;
  }
}

async function assemble(
  config: Config,
  { log, workerModule, foldModule, signal = new AbortController().signal }: NodeOptions,
  onStop: (close: () => Promise<unknown>) => void,
  stop: () => Promise<void>,
): Promise<RunningNode> {
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  let unready = (): string | undefined => 'the node is starting';
  // The port is opened first, so that a port in use is reported before anything else starts.
  const origins = new Origins({ ...config.listen, auth: config.auth.mode });
  const observed = await startMetrics(config, log);
  onStop(() => observed.close());
  const { metrics } = observed;
  let apiParts: ApiParts | undefined;
  let takeUpgrade: Sockets['upgrade'] | undefined;
  const requests = new RequestCounts();
  metrics.readBy({ httpRequests: () => requests.all() });
  const certificate = await certificateOf(config.listen.tls, systemClock, log);
  const http = await createHttpServer({
    config,
    ...(certificate === undefined ? {} : { certificate }),
    version: version(),
    origins,
    unready: () => unready(),
    toSockets: () => takeUpgrade,
    parts: () => apiParts,
    counts: requests,
    onInternalError: (error, fields) => log.error({ err: error, ...fields }, 'a request over HTTP failed'),
    ...(observed.url === undefined ? { metrics } : {}),
  });
  const port = await listen(http, config.listen);
  onStop(() => http.close());

  const tokens = await unlessAborted(
    signal,
    startIdentity(config.auth, {
      time: Date.now,
      now: systemClock.now,
      onProblem: (message) => log.warn(message),
    }),
  );
  // The creation of the database is never interrupted, so the next start finds it whole.
  const storageUrl = await openStorage(config, log, onStop);
  signal.throwIfAborted();
  const storage = {
    url: storageUrl,
    /** Threads that start later take the timeline from here. */
    lowestTimeline: 0,
    connectTimeoutMs: config.storage.connectTimeoutMs,
    answerTimeoutMs: config.storage.answerTimeoutMs,
    readConnections: config.storage.readConnections,
    ...(config.events.enabled ? { eventsMs: config.events.debounceMs } : {}),
  };
  if (config.storage.url !== 'embedded') {
    await waitForPostgres({
      storage,
      timeoutMs: config.storage.startTimeoutMs,
      onWaiting: (fields) => log.warn(fields, 'PostgreSQL is not reached yet'),
      signal,
    });
  }
  const control = createControlStore(storage);
  onStop(() => control.close());
  await unlessAborted(signal, migrate(config, control, log));
  await unlessAborted(
    signal,
    checkConnections(config, control, (message, fields) => log.warn(fields, message)),
  );

  let neighbours: Neighbours | undefined;
  let rightsChanged: Gateway['rightsChanged'] = () => undefined;
  const users = await unlessAborted(
    signal,
    startUsers({
      auth: config.auth,
      tokens,
      storage,
      onChange: (change) => rightsChanged(change),
      tell: () => neighbours?.tellRights(),
      log: (level, message, fields) => log[level](fields, message),
    }),
  );
  onStop(() => users.stop());
  const identity = new SelfIdentity(users.identity, SELF_TEST_DOCUMENT);

  const folds = startFoldPool({
    threads: config.compute.threads,
    timeoutMs: config.compute.foldTimeoutMs,
    onEnded: (error) => log.error({ err: error }, 'a folding thread has ended'),
    foldModule,
  });
  onStop(() => folds.stop());
  const snapshotJobs = startSnapshotPool(config.compute.foldTimeoutMs, (error) =>
    log.error({ err: error }, 'a thread for large snapshots has ended'),
  );
  onStop(() => snapshotJobs.stop());
  const replicas = replicasOf(config);
  metrics.readBy({ replicaReads: () => replicas?.reads() });
  const pasts = startPast({
    config,
    storage,
    replicas: replicas?.options,
    onEnded: (error) => log.error({ err: error }, 'a thread for old versions has ended'),
    log: (level, message, fields) => log[level](fields, message),
  });
  onStop(() => pasts.close());
  const formats = startFormatPool({
    timeoutMs: config.history.timeoutMs,
    waiting: config.history.waiting,
    onEnded: (error) =>
      log.error({ err: error }, 'the thread that writes documents in other formats has ended'),
  });
  onStop(() => formats.stop());
  const fold = async (run: string, request: FoldRequest): Promise<Folded | undefined> => {
    const folded = await folds.fold({ storage: { ...storage, run }, request });
    if (folded !== undefined && request.op === undefined) pasts.snapshotWritten(request);
    return folded;
  };

  const router = new Router();
  const { quotas } = config;
  const now = (): number => sockets.now;
  const shared = {
    ...(config.auth.mode === 'none'
      ? {}
      : { users: new SharedQuotas(quotas.user, quotas.user.sockets, now) }),
    organisations: new SharedQuotas(quotas.organisation, null, now),
  };
  const gateway = new Gateway({
    node: config.node.name,
    identity,
    graceMs: config.auth.graceMs,
    roleGraceMs: config.auth.callback.graceMs,
    nodes: () => neighbours?.clientUrls(),
    limits: config.limits,
    ...shared,
    router,
    unansweredBytes: config.gateway.outboxBytes,
    calls: config.http,
    now,
    time: Date.now,
    newClientId: () => randomBytes(12).toString('base64url'),
    random: Math.random,
    log: (level, message, fields) => log[level](fields, message),
    counts: metrics.thread('main'),
    editClock: new EditClock(systemClock),
  });
  rightsChanged = (change) => gateway.rightsChanged(change);
  const sockets = new Sockets({
    ...config.gateway,
    gateway,
    origins,
    addresses: new Addresses(quotas.address, config.listen.trustedProxies, systemClock.now),
    limits: config.limits,
    counts: metrics.thread('main'),
    isOwn: identity.isOwn,
    ...yjsEndpoints(config, gateway),
  });
  const documents = new DocumentRequests({
    calls: gateway.calls,
    bytes: config.http.answerBytes,
    ...shared,
    now,
  });
  const requestStore = createRequestStore({ ...storage, ...(replicas && { replicas: replicas.options }) });
  onStop(() => requestStore.close());
  const leaving = new Leaving({
    handOver: async (timeoutMs) => (await starting).drain(timeoutMs),
    handOverMs: config.drain.timeoutMs,
    clients: sockets,
  });
  const database = new DatabaseHealth({
    control,
    unreadyMs: config.storage.unreadyMs,
    clock: systemClock,
    counts: metrics.thread('main'),
    log,
    onRisen: (timeline) => {
      storage.lowestTimeline = timeline;
      users.refuseBelow(timeline);
      pasts.refuseBelow(timeline);
      requestStore.refuseBelow(timeline);
      void starting.then(
        (ownership) => ownership.refuseBelow(timeline),
        () => undefined,
      );
    },
  });
  onStop(async () => database.stop());
  const rate = new EditRate(() => metrics.total(METRICS.editsCommitted), systemClock);
  onStop(async () => rate.stop());
  const starting = startOwnership({
    config,
    storage,
    limits: hostLimits(config),
    counts: metrics.thread,
    figures: () => nodeFigures({ sockets }, metrics, rate),
    control,
    router,
    gateway,
    fold,
    snapshotJob: snapshotJobs.run,
    log: (level, message, fields) => log[level](fields, message),
    onWrites: database.writes,
    onLost: (error) => fail(error),
    onRightsChanged: () => users.hint(),
    onLeaveAsked: () => {
      if (!leaving.hasBegun) log.info('this node leaves the cluster at the request of an operator');
      leaving
        .begin()
        .catch((error: unknown) => log.error({ err: error }, 'the node could not leave the cluster'));
      return leaving.progress();
    },
    signal,
    ...(workerModule === undefined ? {} : { workerModule }),
  });
  const ownership = await starting.catch(async (error: unknown) => {
    await sockets.close(SOCKETS_CLOSE_MS);
    throw error;
  });
  onStop(() => ownership.kill());
  onStop(() => sockets.close(SOCKETS_CLOSE_MS));
  onStop(async () => gateway.calls.end());
  onStop(() => ownership.stop());
  const endSweeping = sweepHistory(config, control, log);
  onStop(async () => endSweeping());
  const endErasing = eraseNowAndThen({
    store: requestStore,
    trashMs: config.retention.trashMs,
    everyMs: config.retention.sweepMs,
    clock: systemClock,
    log: (level, message, fields) => log[level](fields, message),
  });
  onStop(async () => endErasing());
  const events = await startEvents({
    config,
    storage,
    counts: metrics.thread('main'),
    log: (level, message, fields) => log[level](fields, message),
  });
  onStop(async () => events?.stop());
  takeUpgrade = sockets.upgrade;
  const isLed = (document: string): boolean => router.linkOf(document) !== undefined;
  const shown = { host: config.listen.host, port, certificate: certificate?.pair.cert };
  await testSelf({ ...shown, token: identity.token, timeoutMs: SELF_TEST_MS, isLed }).catch(
    (error: unknown) => {
      throw new StartError(`the node does not answer on its own port ${port}: ${String(error)}`);
    },
  );
  identity.end();
  signal.throwIfAborted();
  apiParts = apiPartsOf({
    users,
    documents,
    store: requestStore,
    past: pasts.past,
    formats,
    feed: events?.feed,
  });
  unready = () => {
    if (leaving.hasBegun) return 'the node is leaving';
    return ownership.isServing ? database.problem : 'the node has no place in its cluster at the moment';
  };
  metrics.readBy(nodeReadings({ gateway, sockets, ownership, feed: events?.feed, unready: () => unready() }));
  neighbours = ownership.neighbours;
  const watches: (() => void)[] = [];
  if (neighbours !== undefined) {
    watches.push(
      tellChangedNodes({ neighbours, sockets, clock: systemClock }),
      sendClientsAway({
        ownership,
        sockets,
        isLeaving: () => leaving.hasBegun,
        clock: systemClock,
        log,
      }),
    );
    if (config.cluster.balanceClients)
      watches.push(balanceClients({ neighbours, sockets, clock: systemClock, log }));
  }
  onStop(async () => {
    unready = () => 'the node is stopping';
    for (const end of watches) end();
    if (isClustered(config)) await leaving.begin();
  });
  const url = `${certificate === undefined ? 'http' : 'https'}://${showHostPort({ host: config.listen.host, port })}/`;
  return { url, port, metricsUrl: observed.url ?? `${url}metrics`, storageUrl, stop, failed };
}
