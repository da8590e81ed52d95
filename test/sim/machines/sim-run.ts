// One run of a simulated node: peers, lease, control session, workers and controller, put together and taken
// apart as in src/membership/cluster-run.ts, over the adapters in memory.
import type { HostLimits } from '../../../actors/host/host.ts';
import { BEAT_MS, Liveness, MAIN } from '../../../actors/liveness/liveness.ts';
import { type ControlStore, RunFenced, StoreUnavailable } from '../../../actors/storage/store.ts';
import { Controller } from '../../../cluster/controller.ts';
import { LeaseKeeper } from '../../../cluster/liveness/lease-keeper.ts';
import type { Lease } from '../../../cluster/liveness/lease-store.ts';
import type { PeerNetwork } from '../../../cluster/peer/network.ts';
import type { OwnerLinkListener } from '../../../cluster/shards/owner-link.ts';
import type { Router } from '../../../cluster/shards/router.ts';
import type { MemoryNode } from '../../doubles/store-memory.ts';
import { between, type World } from '../world.ts';
import { GatedLeases } from './gated-leases.ts';
import { SimSlots } from './slots.ts';
import { Thread } from './thread.ts';

const MiB = 1024 * 1024;

/** Little stays in memory, so that loading, folding and reading of history all occur in a short run. */
export const HOST_LIMITS: HostLimits = {
  actor: {
    documentBytes: MiB,
    depth: 100,
    workMs: 50,
    receiveBytes: MiB,
    residentOps: 24,
    historyOps: 100_000,
    historyBytes: MiB,
    residentBytes: 16 * 1024,
    mailbox: { messages: 200, bytes: MiB },
    snapshotMinBytes: 2048,
    snapshotRatio: 0.5,
  },
  commit: { maxRows: 64, maxBytes: MiB, queueBytes: 64 * 1024, perSecond: 100 },
  link: {
    windowMessages: 500,
    windowBytes: 64 * 1024,
    queueMessages: 200,
    queueBytes: 64 * 1024,
  },
  historyMemoryBytes: MiB,
  loadsWaiting: { messages: 1000, bytes: 256 * 1024 },
  memoryBytes: 64 * 1024,
  idleMs: 1500,
  quarantine: { firstMs: 60_000, mostMs: 3_600_000 },
};

/**
 * The fourth root of the time that a worker's thread spends on a message: most messages cost little, some
 * more than a slice.
 */
const WORK_MS = [0, 1.9] as const;

export interface SimRunOptions {
  readonly world: World;
  readonly run: string;
  readonly node: string;
  readonly port: number;
  readonly slots: number;
  readonly main: Thread;
  readonly control: ControlStore;
  readonly router: Router;
  readonly gateway: OwnerLinkListener;
  /** Makes a further process of the database, which lives and dies with that thread. */
  readonly connect: (thread: Thread) => MemoryNode;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  readonly onFenced: () => void;
}

const RENEW_MS = 1000;
const ANSWER_TIMEOUT_MS = 2000;
const DEATHS_TO_QUARANTINE = 3;
/** The same as in slots.ts. */
const BEATS_LEFT_OUT = 5;

export class SimRun {
  readonly controller: Controller;
  readonly slots: SimSlots;
  readonly #options: SimRunOptions;
  readonly #lease: Thread;
  readonly #closers: ((now: boolean) => Promise<unknown>)[];

  private constructor(
    options: SimRunOptions,
    parts: { controller: Controller; slots: SimSlots; lease: Thread },
    closers: ((now: boolean) => Promise<unknown>)[],
  ) {
    this.#options = options;
    this.controller = parts.controller;
    this.slots = parts.slots;
    this.#lease = parts.lease;
    this.#closers = closers;
  }

  /** Starts a run. `threads` is called with the threads of the run, even if the start fails. */
  static async start(
    options: SimRunOptions,
    threads: (all: () => readonly Thread[]) => void,
  ): Promise<SimRun> {
    const closers: ((now: boolean) => Promise<unknown>)[] = [];
    try {
      return await assemble(options, closers, threads);
    } catch (error) {
      await stopAll(closers, true, options);
      throw error;
    }
  }

  static of(
    options: SimRunOptions,
    parts: { controller: Controller; slots: SimSlots; lease: Thread },
    closers: ((now: boolean) => Promise<unknown>)[],
  ): SimRun {
    return new SimRun(options, parts, closers);
  }

  threads(): readonly Thread[] {
    return [this.#lease, ...this.slots.threads()];
  }

  /** Commits everything that was taken, and ends. With `now` it ends at once. */
  stop(now: boolean): Promise<void> {
    return stopAll(this.#closers, now, this.#options);
  }
}

async function stopAll(
  closers: ((now: boolean) => Promise<unknown>)[],
  now: boolean,
  { log }: SimRunOptions,
): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    await close(now).catch((error: unknown) => log('warn', 'leaving the cluster', { error: String(error) }));
  }
}

async function assemble(
  options: SimRunOptions,
  closers: ((now: boolean) => Promise<unknown>)[],
  threads: (all: () => readonly Thread[]) => void,
): Promise<SimRun> {
  const { world, run, node, port, main, control, router, gateway, log } = options;
  const { scheduler, delays } = world;
  const random = world.random(`run ${run}`);
  const lease = new Thread(scheduler, main.time);
  const all: { slots: SimSlots | undefined } = { slots: undefined };
  threads(() => [lease, ...(all.slots?.threads() ?? [])]);
  let over = false;
  const fenced = (): void => {
    if (over) return;
    over = true;
    options.onFenced();
  };
  const address = `${node}:${port}`;
  const network: PeerNetwork = world.fabric.network({
    identity: { cluster: 'sim', node, run },
    address: { host: node, port },
    log: (level, message, fields) => log(level, message, fields),
  });
  await network.listen();
  closers.push(() => network.close());

  const session = await control.openSession({ run, node, slot: MAIN, address }).catch((error: unknown) => {
    if (error instanceof RunFenced) fenced();
    throw error;
  });
  closers.push(async (now) => {
    if (!now && (await control.fence(session, { run }))) await control.notify('members');
  });
  const leases = new GatedLeases(world.redis.connect(node), main);
  closers.push(() => leases.close());
  const liveness = Liveness.allocate(options.slots);
  const keeping = options.connect(lease).control();
  const keeper = new LeaseKeeper({
    store: new GatedLeases(world.redis.connect(node), lease),
    sessionState: (id) => within(lease, ANSWER_TIMEOUT_MS, keeping.sessionState(id)),
    liveness,
    clock: lease.clock,
    renewMs: RENEW_MS,
    lease: {
      run,
      node,
      address,
      session: session.id,
      state: 'joining',
      weight: 1,
      workers: [],
      timeline: 0,
    },
    tell: (event) =>
      toMain(() => {
        if (event.type === 'fenced') fenced();
        else log('info', 'lease', event);
        if (event.type === 'confirming') controller.database(event.succeeds);
      }),
  });
  const toMain = (work: () => void): void => {
    scheduler.after(between(random, delays.thread), () => main.run(work));
  };
  const toLease = (work: () => void): void => {
    scheduler.after(between(random, delays.thread), () => lease.run(work));
  };
  closers.push(async (now) => {
    if (!now) await keeper.stop(true);
    lease.kill();
  });
  const stopBeating = main.clock.every(BEAT_MS * BEATS_LEFT_OUT, () => liveness.beat(MAIN));
  closers.push(async () => stopBeating());
  keeper.start();

  let told: Lease | undefined;
  const controller = new Controller({
    run,
    node,
    address,
    weight: 1,
    session,
    pins: world.pins,
    rings: world.rings,
    store: control,
    leases,
    network,
    router,
    listener: gateway,
    link: HOST_LIMITS.link,
    clock: main.clock,
    log,
    setLease: (next) => {
      told = next;
      // The message may come late, but the newest lease counts.
      toLease(() => told && keeper.setLease(told));
    },
    onFenced: fenced,
  });
  const work = world.random(`work ${run}`);
  const slots = new SimSlots({
    main,
    slots: options.slots,
    run,
    node,
    limits: HOST_LIMITS,
    control,
    controlSession: session,
    liveness,
    slotListener: controller,
    messages: (link, messages) => gateway.messages(link, messages),
    connect: options.connect,
    delayMs: () => between(random, delays.thread),
    workMs: () => between(work, WORK_MS) ** 4,
    log,
    count: (what, by) => world.count(what, by),
    poison: world.poison,
    onDeath: (doc, deaths) => {
      world.count('deaths of poison');
      // Messages to the other workers may still be under way.
      if (deaths >= DEATHS_TO_QUARANTINE + options.slots)
        world.violated('not-quarantined', `${doc}, ${deaths} deaths on ${node}`);
    },
    onEnded: (how) => world.count(`worker ended: ${how.replace(/:.*/, '')}`),
  });
  all.slots = slots;
  closers.push(async (now) => (now ? slots.kill() : await slots.stop()));
  closers.push(() => controller.stop());
  await slots.start();
  await controller.start(slots);
  return SimRun.of(options, { controller, slots, lease }, closers);
}

function within<T>(thread: Thread, ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = thread.clock.after(ms, () => reject(new StoreUnavailable(`no answer within ${ms} ms`)));
    promise.then(resolve, reject).finally(cancel);
  });
}
