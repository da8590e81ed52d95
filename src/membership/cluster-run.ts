// One run of a node in a cluster: starts peers, lease, control session, workers and controller, and stops
// them in reverse order. A fenced run is over; the next run is another object (membership.ts).
import { unlessAborted } from '../../actors/abortable.ts';
import { systemClock } from '../../actors/clock.ts';
import type { Folded, FoldRequest } from '../../actors/compute/fold.ts';
import type { HostLimits } from '../../actors/host/host.ts';
import type { LinkOptions } from '../../actors/link/link.ts';
import { Liveness, MAIN } from '../../actors/liveness/liveness.ts';
import { METRICS } from '../../actors/metrics/metrics.ts';
import type { CountsByThread } from '../../actors/metrics/thread-counts.ts';
import { type ControlStore, RunFenced } from '../../actors/storage/store.ts';
import type { WorkerTask } from '../../actors/worker.ts';
import { Controller } from '../../cluster/controller.ts';
import { DEFAULT_STALL_MS, type LeaseEvent } from '../../cluster/liveness/lease-keeper.ts';
import type { Lease } from '../../cluster/liveness/lease-store.ts';
import { createRedisLeaseStore } from '../../cluster/liveness/lease-store-redis.ts';
import { type LeaseThread, startLeaseThread } from '../../cluster/liveness/lease-thread.ts';
import type { LeaveProgress, NodeFigures } from '../../cluster/operator-events.ts';
import { createTcpNetwork } from '../../cluster/peer/tcp/network-tcp.ts';
import type { Rings } from '../../cluster/placement/rings.ts';
import type { OwnerLinkListener } from '../../cluster/shards/owner-link.ts';
import type { Router } from '../../cluster/shards/router.ts';
import type { WorkersOptions } from '../../cluster/workers/workers.ts';
import type { Config } from '../../config/schema.ts';
import { ListenError } from '../listen-error.ts';
import { fenceLoners } from './admission.ts';
import { advertisedAddress, credentialsOf } from './peer-credentials.ts';
import { clientUrlOf } from './told-nodes.ts';
import { workerPool } from './worker-pool.ts';

export interface ClusterRunOptions {
  readonly run: string;
  readonly config: Config;
  readonly node: string;
  readonly storage: WorkerTask['storage'];
  readonly limits: HostLimits;
  readonly counts: CountsByThread;
  readonly link: LinkOptions;
  readonly control: ControlStore;
  readonly router: Router;
  readonly rings: Rings;
  readonly gateway: OwnerLinkListener;
  readonly fold: (run: string, request: FoldRequest) => Promise<Folded | undefined>;
  readonly snapshotJob: WorkersOptions['snapshotJob'];
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  readonly onWrites: WorkersOptions['onWrites'];
  readonly workerModule?: URL;
  /**
   * Aborted while the run starts: the start is given up at once, even if a call does not answer. Without
   * effect afterwards.
   */
  readonly signal: AbortSignal;
  /** Called once when the run is fenced: none of its later writes will be accepted. */
  readonly onFenced: () => void;
  readonly onLeaveAsked: () => LeaveProgress;
  /** Called when another node has changed rights of users. A call may be missing. */
  readonly onRightsChanged?: () => void;
  readonly figures: () => NodeFigures;
}

export interface ClusterRun {
  /** The address that peers dial. */
  readonly address: string;
  readonly controller: Controller;
  /** Refuses servers of PostgreSQL with a lower timeline, which have missed a failover. */
  refuseBelow(timeline: number): void;
  /** Commits the accepted patches, then ends. With `now` it ends at once. */
  stop(now: boolean): Promise<void>;
}

/** Time limit of the database's answer to the farewell. */
const FAREWELL_MS = 3000;

/** If it rejects, it has stopped all that it had started. */
export async function startClusterRun(options: ClusterRunOptions): Promise<ClusterRun> {
  const closers: ((now: boolean) => Promise<unknown>)[] = [];
  const stop = async (now: boolean): Promise<void> => {
    for (const close of closers.splice(0).reverse()) {
      await close(now).catch((error: unknown) =>
        options.log('warn', 'a step of leaving the cluster failed', { error: String(error) }),
      );
    }
  };
  try {
    return await assemble(options, (close) => closers.push(close), stop);
  } catch (error) {
    await stop(true);
    throw error;
  }
}

async function assemble(
  options: ClusterRunOptions,
  onStop: (close: (now: boolean) => Promise<unknown>) => void,
  stop: (now: boolean) => Promise<void>,
): Promise<ClusterRun> {
  const { run, config, node, storage, control, router, gateway, log, signal } = options;
  const { cluster } = config;
  let over = false;
  const fenced = (): void => {
    if (over) return;
    over = true;
    options.counts('main').count(METRICS.selfFenced);
    options.onFenced();
  };
  const pulses = { identity: { cluster: cluster.name, node, run }, credentials: credentialsOf(config) };
  // Pulses are set only after a peer was dialled, and by then the lease thread is there.
  let pulse: LeaseThread['pulse'] = () => {};
  const network = createTcpNetwork({
    ...pulses,
    host: cluster.link.host,
    port: cluster.link.port,
    clock: systemClock,
    random: Math.random,
    log,
    onPulseTargets: (targets) => pulse(targets),
  });
  const bound = await network.listen().catch((error: unknown) => {
    throw new ListenError('cluster.link', error);
  });
  onStop(() => network.close());
  const address = advertisedAddress(cluster, bound.port);

  const opening = control.openSession({ run, node, slot: MAIN, address });
  const session = await unlessAborted(signal, opening).catch((error: unknown) => {
    if (error instanceof RunFenced) fenced();
    throw error;
  });
  // With the farewell, the other nodes need not detect that this run is gone.
  onStop(async (now) => {
    if (now) return;
    const farewell = async (): Promise<void> => {
      if (await control.fence(session, { run })) await control.notify('members');
    };
    await unlessAborted(AbortSignal.timeout(FAREWELL_MS), farewell());
  });
  await fenceLoners(options, session);
  const redis = { redis: cluster.redis, cluster: cluster.name, ttlMs: cluster.leaseTtlMs };
  const leases = createRedisLeaseStore(redis);
  onStop(() => leases.close());
  const liveness = Liveness.allocate(config.workers);
  const first: Lease = {
    run,
    node,
    address,
    session: session.id,
    state: 'joining',
    weight: cluster.weight,
    workers: [],
    timeline: 0,
  };
  const keeper = startLeaseThread({
    redis,
    storage,
    lease: first,
    pulses,
    liveness,
    counts: options.counts('lease').memory,
    renewMs: cluster.renewMs,
    // The node ends a stalled worker itself. Its other workers keep their documents, unless that fails.
    workerStallMs: config.worker.stallMs + DEFAULT_STALL_MS,
    onEvent: (event) => {
      if (event.type === 'fenced') fenced();
      else log(isGood(event) ? 'info' : 'warn', leaseLine(event), event);
      if (event.type === 'confirming') controller.database(event.succeeds);
    },
    onFailed: (error) => {
      log('error', 'the lease thread has ended', { error: String(error) });
      fenced();
    },
  });
  onStop((now) => keeper.stop(!now));
  pulse = keeper.pulse;

  const controller = new Controller({
    run,
    node,
    address,
    weight: cluster.weight,
    ...(config.listen.publicUrl === null ? {} : { clientUrl: clientUrlOf(config.listen.publicUrl) }),
    session,
    pins: cluster.pins,
    rings: options.rings,
    store: control,
    leases,
    network,
    router,
    listener: gateway,
    counts: options.counts('main'),
    link: options.link,
    clock: systemClock,
    log,
    setLease: (lease) => keeper.setLease(lease),
    onFenced: fenced,
    onLeaveAsked: options.onLeaveAsked,
    ...(options.onRightsChanged === undefined ? {} : { onRightsChanged: options.onRightsChanged }),
    figures: options.figures,
  });
  const workers = workerPool(options, {
    run,
    node,
    controlSession: session,
    liveness: liveness.memory,
    slotListener: controller,
  });
  onStop((now) => (now ? workers.kill() : workers.stop()));
  onStop(() => controller.stop());
  await unlessAborted(signal, workers.start());
  await unlessAborted(signal, controller.start(workers));
  return {
    address,
    controller,
    refuseBelow: (timeline) => {
      controller.seeTimeline(timeline);
      keeper.refuseBelow(timeline);
      workers.refuseBelow(timeline);
    },
    stop,
  };
}

function leaseLine(event: Exclude<LeaseEvent, { type: 'fenced' }>): string {
  switch (event.type) {
    case 'stalled':
      return event.slots.length === 0 ? 'all threads turn again' : 'threads do not turn';
    case 'renewing':
      return event.succeeds ? 'the lease is renewed again' : 'the lease could not be renewed';
    case 'confirming':
      return event.succeeds
        ? 'the database confirms this node again'
        : 'the database does not confirm this node';
    case 'pulsing':
      return event.succeeds ? 'pulses reach a node again' : 'pulses do not reach a node';
    case 'redis':
      return event.state === 'up' ? 'Redis is reached' : 'Redis is not reached';
    default:
      return event satisfies never;
  }
}

function isGood(event: Exclude<LeaseEvent, { type: 'fenced' }>): boolean {
  if (event.type === 'redis') return event.state === 'up';
  return event.type === 'stalled' ? event.slots.length === 0 : event.succeeds;
}
