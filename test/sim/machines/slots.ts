// The workers of one simulated run: the work of actors/worker.ts in a thread and of
// cluster/workers/workers.ts on the main thread, here in threads of the simulation. Each worker has a session
// and a Host of its own. A worker that ends is fenced, and another takes its place. Over 400 lines, because
// it stands for both ends of a thread at once. The modes of a slot: ended -> starting -> live -> ended; any
// -> stopped.

import { type Folded, type FoldRequest, fold } from '../../../actors/compute/fold.ts';
import { doSnapshotJob } from '../../../actors/compute/snapshot-job.ts';
import type { HostLimits } from '../../../actors/host/host.ts';
import { Host } from '../../../actors/host/host.ts';
import { Gathering } from '../../../actors/link/gathering.ts';
import { Link } from '../../../actors/link/link.ts';
import type { ToGateway, ToOwner } from '../../../actors/link/link-messages.ts';
import { BEAT_MS, CONFIRM_MS, type Liveness } from '../../../actors/liveness/liveness.ts';
import { Progress } from '../../../actors/liveness/progress.ts';
import type { LoadLimits } from '../../../actors/loading/load-queue.ts';
import { Quarantine, type Quarantined } from '../../../actors/quarantine.ts';
import {
  type ControlStore,
  type SessionId,
  type SessionRef,
  StoreUnavailable,
  type WorkerStore,
} from '../../../actors/storage/store.ts';
import type { PeerStream } from '../../../cluster/peer/network.ts';
import type { OwnerLink, OwnerLinkListener } from '../../../cluster/shards/owner-link.ts';
import type { Epochs, SlotHost, SlotListener } from '../../../cluster/workers/slot-host.ts';
import type { MemoryNode } from '../../doubles/store-memory.ts';
import { Pipe, Port } from './pipe.ts';
import { Thread } from './thread.ts';

/** With this limit even a handful of documents is read together. */
const FEW_ALONE: LoadLimits = { alone: 1, together: 1 };

export interface SimSlotsOptions {
  readonly main: Thread;
  readonly slots: number;
  readonly run: string;
  readonly node: string;
  readonly limits: HostLimits;
  readonly control: ControlStore;
  readonly controlSession: SessionRef;
  readonly liveness: Liveness;
  readonly slotListener: SlotListener;
  readonly messages: OwnerLinkListener['messages'];
  /** Makes a further process of the database, which lives and dies with that thread. */
  readonly connect: (thread: Thread) => MemoryNode;
  /** Delay between two threads of a process. */
  readonly delayMs: () => number;
  /**
   * The time that a worker's thread spends on a piece of work, as its turns count it. No simulated time
   * passes.
   */
  readonly workMs: () => number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  readonly count: (what: string, by?: number) => void;
  /** The documents at which a worker dies. */
  readonly poison: ReadonlySet<string>;
  /**
   * Called when a worker has died at that document, with the number of such deaths among this run's workers.
   */
  readonly onDeath: (doc: string, deaths: number) => void;
  /** Called when a worker has ended or was ended. */
  readonly onEnded: (how: string) => void;
}

interface Worker {
  readonly thread: Thread;
  readonly toWorker: Pipe;
  readonly session: SessionRef;
  readonly store: WorkerStore;
  readonly host: Host;
}

class Slot {
  readonly number: number;
  mode: 'ended' | 'starting' | 'live' | 'stopped' = 'ended';
  thread: Thread | undefined;
  worker: Worker | undefined;
  link: OwnerLink | undefined;
  readonly asked = new Set<(error: Error) => void>();
  failures = 0;
  /** The document at which its worker has died. */
  poison: string | undefined;
  /** Resolves the task of the thread, as the pool does. */
  end: (how: string) => void = () => undefined;
  ended: Promise<void> = Promise.resolve();

  constructor(number: number) {
    this.number = number;
  }
}

const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5000;
const LOCAL_LINK = 0;
/**
 * Beats serve to find stalls of seconds, and are most of the events of an idle node, so fewer are sent than
 * in a real process.
 */
const BEATS_LEFT_OUT = 5;

export class SimSlots implements SlotHost {
  readonly #options: SimSlotsOptions;
  readonly #slots: readonly Slot[];
  readonly #quarantine: Quarantine;
  /** Deaths of this run's workers alone, since the document was last in service. */
  readonly #ownDeaths = new Map<string, number>();
  #stopping = false;
  #lastLink = LOCAL_LINK;

  constructor(options: SimSlotsOptions) {
    this.#options = options;
    this.#quarantine = new Quarantine(options.limits.quarantine);
    this.#slots = Array.from({ length: options.slots }, (_, slot) => new Slot(slot));
  }

  async start(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => this.#launch(slot)));
  }

  /** Workers commit what they have taken, then end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#slots.map(async (slot) => {
        const { worker, mode } = slot;
        slot.mode = 'stopped';
        if (mode !== 'live' || worker === undefined) return;
        worker.toWorker.send(() => {
          worker.host
            .stop()
            .then(() => worker.store.close())
            .then(
              () => slot.end('stopped'),
              () => slot.end('failed'),
            );
        });
        await slot.ended;
      }),
    );
  }

  /** Ends all threads at once. */
  kill(): void {
    this.#stopping = true;
    for (const slot of this.#slots) slot.thread?.kill();
  }

  /** Kills a worker, and tells the main thread. */
  crash(slot: number): void {
    const found = this.#slots[slot % this.#slots.length];
    if (found?.thread?.isAlive === true) found.end('crashed');
  }

  /** The threads that exist now. */
  threads(): readonly Thread[] {
    return this.#slots.flatMap(({ thread }) => (thread === undefined ? [] : [thread]));
  }

  countFailure(doc: string): void {
    const { main, slotListener } = this.#options;
    const { putOut } = this.#quarantine.failed(doc, main.clock.now());
    if (putOut === undefined) return;
    this.#options.count('quarantines');
    this.#tellQuarantined(putOut);
    slotListener.quarantined(putOut);
  }

  adoptQuarantined(quarantined: Quarantined): void {
    const now = this.#options.main.clock.now();
    if (this.#quarantine.leftMs(quarantined.doc, now) >= quarantined.forMs) return;
    this.#quarantine.adopt(quarantined, now);
    this.#tellQuarantined(quarantined);
  }

  releaseQuarantined(doc: string): boolean {
    const wasOut = this.#quarantine.release(doc, this.#options.main.clock.now());
    this.#ownDeaths.delete(doc);
    for (const { worker } of this.#slots) worker?.toWorker.send(() => worker.host.releaseQuarantined(doc));
    return wasOut;
  }

  quarantined(most?: number): readonly Quarantined[] {
    return this.#quarantine.list(this.#options.main.clock.now(), most);
  }

  #tellQuarantined(quarantined: Quarantined): void {
    for (const { worker } of this.#slots) worker?.toWorker.send(() => worker.host.quarantine(quarantined));
  }

  claim(slot: number, shards: readonly number[]): Promise<Epochs> {
    return this.#ask(slot, async ({ store, host }) => {
      const epochs = await store.claim(shards);
      this.#options.count('shards claimed', epochs.size);
      host.own(epochs);
      return epochs;
    });
  }

  adopt(slot: number, shards: readonly number[]): Promise<Epochs> {
    return this.#ask(slot, async ({ store, host }) => {
      const epochs = await store.adopt(shards);
      host.own(epochs);
      return epochs;
    });
  }

  release(slot: number, shards: readonly number[], to: SessionId): Promise<Epochs> {
    return this.#ask(slot, async ({ host }) => {
      const epochs = await host.release(shards, to);
      this.#options.count('shards handed over', epochs.size);
      return epochs;
    });
  }

  attach(session: SessionId, stream: PeerStream): boolean {
    const { main, delayMs } = this.#options;
    const slot = this.#slots.find((each) => each.mode === 'live' && each.worker?.session.id === session);
    const worker = slot?.worker;
    if (worker === undefined) return false;
    const [near, far] = Port.pair(main.scheduler, main, worker.thread, delayMs);
    stream.onBatch((batch) => near.post(batch));
    near.onBatch((batch) => stream.post(batch));
    stream.onClose(() => near.close());
    near.onClose = () => stream.close();
    const id = ++this.#lastLink;
    // A port closes when the thread at its other end dies.
    worker.thread.join({
      stop: () => undefined,
      goOn: () => undefined,
      kill: () => main.scheduler.after(delayMs(), () => main.run(() => near.close())),
    });
    worker.toWorker.send(() => {
      far.onClose = () => worker.host.removeLink(id);
      worker.host.addLink(id, far);
    });
    return true;
  }

  /** Runs `what` in the worker, and resolves on the main thread. */
  #ask(slot: number, what: (worker: Worker) => Promise<Epochs>): Promise<Epochs> {
    const found = this.#slots[slot];
    const worker = found?.worker;
    if (found?.mode !== 'live' || worker === undefined)
      return Promise.reject(new StoreUnavailable(`worker ${slot} is not there`));
    const back = new Pipe(this.#options.main.scheduler, this.#options.main, this.#options.delayMs);
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        found.asked.delete(fail);
        reject(error);
      };
      found.asked.add(fail);
      worker.toWorker.send(() => {
        what(worker).then(
          (epochs) =>
            back.send(() => {
              if (found.asked.delete(fail)) resolve(epochs);
            }),
          (error: unknown) =>
            back.send(() => {
              if (found.asked.has(fail)) fail(new StoreUnavailable(String(error)));
            }),
        );
      });
    });
  }

  async #launch(slot: Slot): Promise<void> {
    const options = this.#options;
    const { main, delayMs } = options;
    const { scheduler } = main;
    slot.mode = 'starting';
    const thread = new Thread(scheduler, main.time);
    slot.thread = thread;
    const toMain = new Pipe(scheduler, main, delayMs);
    let over = false;
    const up = new Promise<void>((resolve) => {
      slot.ended = new Promise((done) => {
        slot.end = (how) => {
          if (over) return;
          over = true;
          thread.kill();
          // The end follows all messages of the worker.
          toMain.end(() => {
            done();
            this.#ended(slot, how).then(resolve, () => resolve());
          });
        };
      });
      this.#serve(slot, thread, toMain, resolve).catch((error: unknown) => slot.end(String(error)));
    });
    await up;
  }

  /** The worker's thread: opens its session, runs a host. */
  async #serve(slot: Slot, thread: Thread, toMain: Pipe, live: () => void): Promise<void> {
    const options = this.#options;
    const { liveness, main, delayMs } = options;
    const { scheduler } = main;
    const database = options.connect(thread);
    const store = database.worker();
    thread.clock.every(BEAT_MS * BEATS_LEFT_OUT, () => liveness.beat(slot.number));
    const openingAt = thread.clock.now();
    const session = await store.open({ run: options.run, node: options.node, slot: slot.number });
    liveness.confirm(slot.number, openingAt + CONFIRM_MS);
    const [near, far] = Port.pair(scheduler, main, thread, delayMs);
    const folds = database.fold();
    let spentMs = 0;
    const host = new Host({
      store,
      session,
      loads: FEW_ALONE,
      limits: options.limits,
      progress: new Watched((doc) => {
        if (!options.poison.has(doc) || !thread.isAlive) return;
        slot.poison = doc;
        slot.end('died of a document');
      }),
      clock: thread.clock,
      spentMs: () => {
        spentMs += options.workMs();
        return spentMs;
      },
      confirmed: () => liveness.isConfirmed(slot.number, thread.clock.now()),
      log: (level, message, fields) => options.log(level, message, { slot: slot.number, ...fields }),
      onFailed: (doc) =>
        toMain.send(() => {
          options.slotListener.docFailed(doc);
          this.countFailure(doc);
        }),
      fold: (request: FoldRequest) => thread.gate(this.#folded(fold(folds, request))),
      snapshotJob: (job) => thread.gate(Promise.resolve(new Uint8Array(doSnapshotJob(job)))),
      onLost: (reason) => {
        host.dispose();
        slot.end(reason);
      },
    });
    for (const quarantined of this.quarantined()) host.quarantine(quarantined);
    host.addLink(LOCAL_LINK, far);
    const worker: Worker = {
      thread,
      toWorker: new Pipe(scheduler, thread, delayMs),
      session,
      store,
      host,
    };
    toMain.send(() => {
      if (slot.mode === 'stopped' || slot.thread !== thread) return;
      slot.mode = 'live';
      slot.worker = worker;
      const link = new Link<ToOwner, ToGateway>(
        near,
        options.limits.link,
        (messages) => options.messages(link, messages),
        main.clock,
      );
      link.gatherer = new Gathering(options.limits.commit.perSecond, main.clock);
      slot.link = link;
      options.slotListener.up(slot.number, session.id, link);
      live();
    });
  }

  async #folded(folding: Promise<Folded | undefined>): Promise<Folded | undefined> {
    const folded = await folding;
    if (folded !== undefined)
      this.#options.count(folded.fit === undefined ? 'snapshots' : 'patches judged at old bases');
    return folded;
  }

  async #ended(slot: Slot, how: string): Promise<void> {
    const { slotListener, log } = this.#options;
    for (const fail of [...slot.asked]) fail(new StoreUnavailable('the worker has ended'));
    const { link, mode } = slot;
    slot.link = undefined;
    slot.worker = undefined;
    if (link !== undefined) slotListener.down(slot.number, link);
    if (mode === 'stopped' || this.#stopping) return;
    slot.mode = 'ended';
    this.#options.onEnded(how);
    log('error', 'a worker has ended', { slot: slot.number, how });
    this.#blame(slot);
    await this.#relaunch(slot);
  }

  /** Judges the progress that a dead worker leaves, as the real pool does. */
  #blame(slot: Slot): void {
    const { poison: doc } = slot;
    slot.poison = undefined;
    if (doc === undefined) return;
    const { slotListener, onDeath } = this.#options;
    const deaths = (this.#ownDeaths.get(doc) ?? 0) + 1;
    this.#ownDeaths.set(doc, deaths);
    onDeath(doc, deaths);
    slotListener.docFailed(doc);
    this.countFailure(doc);
  }

  async #relaunch(slot: Slot): Promise<void> {
    const { main, log, slotListener } = this.#options;
    for (;;) {
      const delay = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** slot.failures++);
      if (slot.failures > 1) await new Promise<void>((wake) => void main.clock.after(delay, wake));
      if (this.#stopping) return;
      try {
        if (await this.#fence(slot)) break;
        log('error', 'this node has been fenced', { slot: slot.number });
        slotListener.fenced();
        return;
      } catch (error) {
        log('warn', 'a dead worker is not fenced yet', { slot: slot.number, error: String(error) });
      }
    }
    if (!this.#stopping) await this.#launch(slot);
  }

  /** False if this run is fenced, as in the real pool: its next worker would get no session. */
  async #fence(slot: Slot): Promise<boolean> {
    const { control, controlSession, run } = this.#options;
    const sessions = await control.sessions();
    if (!sessions.some(({ id }) => id === controlSession.id)) return false;
    for (const session of sessions) {
      if (session.run !== run || session.slot !== slot.number) continue;
      if (!(await control.fence(controlSession, { session: session.id }))) return false;
    }
    return true;
  }
}

/** Records the document to which the worker turns. */
class Watched extends Progress {
  readonly #onEnter: (doc: string) => void;

  constructor(onEnter: (doc: string) => void) {
    super(new SharedArrayBuffer(Progress.BYTES));
    this.#onEnter = onEnter;
  }

  override enter(doc: string): void {
    super.enter(doc);
    this.#onEnter(doc);
  }
}
