// Starts the ownership of documents: this node alone owns them, or the nodes of a cluster share them. Either
// way the router leads every document to its owner, and the rest of the node sees no difference.
import { randomUUID } from 'node:crypto';
import { unlessAborted } from '../../actors/abortable.ts';
import { systemClock } from '../../actors/clock.ts';
import type { Folded, FoldRequest } from '../../actors/compute/fold.ts';
import type { HostLimits } from '../../actors/host/host.ts';
import { MAIN } from '../../actors/liveness/liveness.ts';
import type { CountsByThread } from '../../actors/metrics/thread-counts.ts';
import { SHARDS } from '../../actors/shard.ts';
import type { ControlStore, SessionRef } from '../../actors/storage/store.ts';
import type { WorkerTask } from '../../actors/worker.ts';
import {
  answerRelease,
  answerStatus,
  type LeaveProgress,
  type NodeFigures,
  operatorEvent,
} from '../../cluster/operator-events.ts';
import type { OwnerLinkListener } from '../../cluster/shards/owner-link.ts';
import type { Router } from '../../cluster/shards/router.ts';
import { SingleNode } from '../../cluster/single-node.ts';
import type { Workers, WorkersOptions } from '../../cluster/workers/workers.ts';
import { isClustered } from '../../config/clustered.ts';
import { StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { askAdmission } from './admission.ts';
import { Membership } from './membership.ts';
import { workerPool } from './worker-pool.ts';

export interface OwnershipOptions {
  readonly config: Config;
  readonly storage: WorkerTask['storage'];
  readonly limits: HostLimits;
  readonly counts: CountsByThread;
  readonly control: ControlStore;
  readonly router: Router;
  readonly gateway: OwnerLinkListener;
  readonly fold: (run: string, request: FoldRequest) => Promise<Folded | undefined>;
  readonly snapshotJob: WorkersOptions['snapshotJob'];
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  readonly onWrites: WorkersOptions['onWrites'];
  readonly workerModule?: URL;
  /** Called when the node cannot go on. */
  readonly onLost: (error: Error) => void;
  /**
   * In a cluster: called when an operator wants the node to leave; returns the progress. May be called again.
   */
  readonly onLeaveAsked: () => LeaveProgress;
  /** In a cluster: called when another node has changed rights of users. A call may be missing. */
  readonly onRightsChanged?: () => void;
  readonly figures: () => NodeFigures;
  /** Aborted: the start is given up at once. `stop` ends what has started. */
  readonly signal: AbortSignal;
}

/** The parts of the membership that concern clients. */
export type Neighbours = Pick<
  Membership,
  'tellClients' | 'clientShares' | 'clientUrls' | 'unreachedShards' | 'tellRights'
>;

/** The place of a node among the others. */
export interface Place {
  /** Shards that its workers own. */
  readonly shards: number;
  /** Shards of this node that are placed elsewhere, by the node on which they are placed. */
  readonly moving: ReadonlyMap<string, number>;
  /** Shards without an owner, as far as the node knows. */
  readonly unowned: number;
  /** The other live nodes. Undefined on a node without a cluster. */
  readonly peers?: readonly { readonly connected: boolean }[];
}

export interface Ownership {
  /**
   * True if the node can serve. False while it starts over after a fence, and while it reaches no owner at
   * all.
   */
  readonly isServing: boolean;
  /** Undefined on a node without a cluster. */
  readonly neighbours?: Neighbours;
  /** Undefined while the node has no place in its cluster. */
  place(): Place | undefined;
  /** In a cluster: hands all shards to other nodes within `timeoutMs`. The node takes none again. */
  drain(timeoutMs: number): Promise<void>;
  /** Tells all threads. Threads that start later read it from `storage`. */
  refuseBelow(timeline: number): void;
  /** Commits the accepted patches, then ends. */
  stop(): Promise<void>;
  /** Ends at once all that `stop` may have left. */
  kill(): Promise<void>;
}

/**
 * Resolves when every document is routed to an owner. If it rejects, it has stopped all that it had started.
 */
export async function startOwnership(options: OwnershipOptions): Promise<Ownership> {
  await askAdmission(options);
  return isClustered(options.config) ? await joinCluster(options) : await serveAlone(options);
}

async function joinCluster(options: OwnershipOptions): Promise<Ownership> {
  const { config, signal, router, gateway, log } = options;
  // A node without a cluster does not load its modules.
  const { startClusterRun } = await import('./cluster-run.ts');
  const membership = new Membership({
    router,
    gateway,
    log,
    startRun: (own) =>
      startClusterRun({ ...options, node: config.node.name, link: options.limits.link, ...own }),
  });
  const ownership: Ownership = {
    get isServing() {
      return membership.isMember && !options.router.leadsNowhere;
    },
    neighbours: membership,
    place: () => placeOf(membership.status()),
    drain: (timeoutMs) => membership.drain(timeoutMs),
    refuseBelow: (timeline) => membership.refuseBelow(timeline),
    stop: () => membership.stop(),
    kill: () => membership.stop(),
  };
  // A failure of the stop is handled below.
  const giveUp = (): void => void membership.stop().catch(() => undefined);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    signal.throwIfAborted();
    await membership.start();
    signal.throwIfAborted();
  } catch (error) {
    await membership.stop();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
  return ownership;
}

function placeOf(status: ReturnType<Membership['status']>): Place | undefined {
  const [own, ...others] = status?.members ?? [];
  if (status === undefined || own === undefined) return undefined;
  const peers = others.filter(({ state }) => state === 'live');
  return { shards: own.shards, moving: status.moving, unowned: status.orphans, peers };
}

const SESSION_POLL_MS = 1000;
/** Time limit of the database's answer to the farewell. */
const FAREWELL_MS = 3000;

async function serveAlone(options: OwnershipOptions): Promise<Ownership> {
  const { config, control, router, gateway, log, signal } = options;
  const run = randomUUID();
  const node = config.node.name;
  const session = await unlessAborted(signal, takeOver(control, { run, node, slot: MAIN }, log, signal));
  const takenOver = (): void =>
    options.onLost(new StartError('another node has taken this database over; one database serves one node'));
  const alone = new SingleNode({
    slots: config.workers,
    router,
    listener: gateway,
    clock: systemClock,
    log,
    onFenced: takenOver,
  });
  const workers = workerPool(options, {
    run,
    node,
    controlSession: session,
    liveness: null,
    slotListener: alone,
  });
  let events: { close(): Promise<void> } | undefined;
  try {
    await unlessAborted(signal, alone.serve(workers));
    events = await unlessAborted(signal, hearOperators(control, run, workers, options.figures));
  } catch (error) {
    alone.stop();
    await workers.kill();
    throw error;
  }
  const stopWatching = watchSession(control, session, log, takenOver);
  return {
    isServing: true,
    place: () => {
      const unowned = router.shardsNowhere;
      return { shards: SHARDS - unowned, moving: new Map(), unowned };
    },
    drain: () => Promise.resolve(),
    refuseBelow: (timeline) => workers.refuseBelow(timeline),
    stop: async () => {
      stopWatching();
      alone.stop();
      await events.close();
      await workers.stop();
      await sayFarewell(control, session, run, log);
    },
    kill: async () => {
      stopWatching();
      await events.close();
      await workers.kill();
    },
  };
}

/** Hears the operators' commands that concern a node without a cluster. */
function hearOperators(
  control: ControlStore,
  run: string,
  workers: Workers,
  figures: () => NodeFigures,
): Promise<{ close(): Promise<void> }> {
  return control.listen({
    onEvent: (text) => {
      const event = operatorEvent(text);
      if (event?.type === 'release') answerRelease(control, run, workers, event.doc);
      else if (event?.type === 'status') answerStatus(control, run, figures(), new Map());
    },
    // An event that was missed here is repeated by the command.
    onGap: () => undefined,
  });
}

/** Takes over the database: fences all earlier runs, which frees their shards. */
async function takeOver(
  control: ControlStore,
  identity: { run: string; node: string; slot: number },
  log: OwnershipOptions['log'],
  signal: AbortSignal,
): Promise<SessionRef> {
  const session = await control.openSession(identity);
  const runs = new Set((await control.foreignSessions(identity.run)).map((other) => other.run));
  for (const run of runs) {
    signal.throwIfAborted();
    if (!(await control.fence(session, { run }))) {
      throw new StartError('another node took this database over while this one was starting');
    }
  }
  if (runs.size > 0)
    log('info', 'the sessions of earlier runs of this node were fenced', { runs: runs.size });
  return session;
}

/** Ends the session in the database. If that fails, the next start fences it. */
async function sayFarewell(
  control: ControlStore,
  session: SessionRef,
  run: string,
  log: OwnershipOptions['log'],
): Promise<void> {
  await unlessAborted(AbortSignal.timeout(FAREWELL_MS), control.fence(session, { run })).catch(
    (error: unknown) =>
      log('warn', 'the session could not be removed from the database', { error: String(error) }),
  );
}

/**
 * Watches the session. A node whose session was fenced must end, because its database belongs to another
 * node.
 */
function watchSession(
  control: ControlStore,
  session: SessionRef,
  log: OwnershipOptions['log'],
  takenOver: () => void,
): () => void {
  let asking = false;
  const stop = systemClock.every(SESSION_POLL_MS, () => {
    if (asking) return;
    asking = true;
    control
      .sessionState(session.id)
      .then(
        (state) => {
          if (state === 'live') return;
          stop();
          takenOver();
        },
        (error: unknown) => log('warn', 'the session could not be confirmed', { error: String(error) }),
      )
      .finally(() => {
        asking = false;
      });
  });
  return stop;
}
