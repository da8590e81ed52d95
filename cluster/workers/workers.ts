// The pool of document workers: it keeps one worker thread per slot alive, each running one endless task. The
// session of a worker that ended by itself is fenced before its successor starts. A document that was being
// handled at three deaths of workers is quarantined, and returns to service after a while. Other modules
// decide which shards a worker should have, and ask for them here. The pool knows nothing of documents'
// content.
//
// A slot's modes are in worker-slot.ts: ended -> starting -> live -> ended -> (back-off) starting; any ->
// stopped.
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { systemClock } from '../../actors/clock.ts';
import type { Folded, FoldRequest } from '../../actors/compute/fold.ts';
import type { RunSnapshotJob } from '../../actors/compute/snapshot-job.ts';
import type { HostLimits } from '../../actors/host/host.ts';
import { Gathering } from '../../actors/link/gathering.ts';
import { Link } from '../../actors/link/link.ts';
import type { ToGateway, ToOwner } from '../../actors/link/link-messages.ts';
import { Progress } from '../../actors/liveness/progress.ts';
import { METRICS } from '../../actors/metrics/metrics.ts';
import { type CountsByThread, workerThread } from '../../actors/metrics/thread-counts.ts';
import type { Quarantined } from '../../actors/quarantine.ts';
import {
  type ControlStore,
  type SessionId,
  type SessionRef,
  StoreUnavailable,
} from '../../actors/storage/store.ts';
import {
  type FromWorker,
  portTransport,
  type ToWorker,
  type WorkerEnd,
  type WorkerTask,
} from '../../actors/worker.ts';
import type { PeerStream } from '../peer/network.ts';
import type { OwnerLink, OwnerLinkListener } from '../shards/owner-link.ts';
import { answerFold, answerSnapshotJob } from './compute-requests.ts';
import { NodeQuarantine } from './node-quarantine.ts';
import type { Epochs, SlotHost, SlotListener } from './slot-host.ts';
import { StallWatch } from './stalls.ts';
import { endedBy, WorkerSlot } from './worker-slot.ts';

export interface WorkersOptions {
  readonly slots: number;
  readonly run: string;
  readonly node: string;
  readonly heapMb: number;
  /** A worker whose event loop does not turn for this long is ended, ms. */
  readonly stallMs: number;
  readonly storage: WorkerTask['storage'];
  readonly limits: HostLimits;
  readonly counts: CountsByThread;
  readonly control: ControlStore;
  readonly controlSession: SessionRef;
  /** See `WorkerTask`. */
  readonly liveness: SharedArrayBuffer | null;
  readonly slotListener: SlotListener;
  /** Messages of this node's owners to the node's own gateway. */
  readonly messages: OwnerLinkListener['messages'];
  readonly fold: (request: FoldRequest) => Promise<Folded | undefined>;
  readonly snapshotJob: RunSnapshotJob;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  /** Called with the failure of a worker's last write, or undefined once its writes succeed. */
  readonly onWrites: (slot: number, failure: { readonly code?: string } | undefined) => void;
  /** The module of the workers. Tests run a module that injects faults. */
  readonly workerModule?: URL;
}

/**
 * Size of a worker's young generation. A smaller one costs more CPU, because patches stay in memory for a
 * while.
 */
const YOUNG_MB = 48;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5000;
/** A worker that lived this long restarts with the first delay. */
const STEADY_MS = 30_000;

export class Workers implements SlotHost {
  readonly #options: WorkersOptions;
  readonly #pool: Piscina;
  readonly #slots: WorkerSlot[];
  readonly #stalls: StallWatch;
  readonly #quarantine: NodeQuarantine;
  #stopping = false;
  /** Id of the last link to a gateway. 0 is the node's own gateway. */
  #lastLink = 0;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#quarantine = new NodeQuarantine({
      limits: options.limits.quarantine,
      now: systemClock.now,
      tellWorkers: (message) => this.#tellAll(message),
      onQuarantined: (quarantined) => options.slotListener.quarantined(quarantined),
      log: options.log,
    });
    this.#pool = new Piscina({
      filename: (options.workerModule ?? new URL('../../actors/worker.js', import.meta.url)).href,
      minThreads: options.slots,
      maxThreads: options.slots,
      idleTimeout: Number.POSITIVE_INFINITY,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      resourceLimits: { maxOldGenerationSizeMb: options.heapMb, maxYoungGenerationSizeMb: YOUNG_MB },
    });
    // A worker died between tasks. The pool replaces it.
    this.#pool.on('error', (error: unknown) =>
      options.log('error', 'the pool of workers reports an error', { error: String(error) }),
    );
    this.#slots = Array.from({ length: options.slots }, (_, slot) => new WorkerSlot(slot));
    this.#stalls = new StallWatch({
      clock: systemClock,
      stallMs: options.stallMs,
      onStalled: (slot) => this.#endStalled(slot),
    });
  }

  /** Resolves when all workers serve. Rejects if a worker cannot start at all. */
  async start(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => this.#launch(slot)));
  }

  /** Workers commit the patches that they have taken, then end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#slots.map(async (slot) => {
        const wasLive = slot.mode === 'live';
        slot.stopped();
        if (!wasLive) return;
        slot.tell({ type: 'stop' });
        await slot.ended;
      }),
    );
    this.#stalls.stop();
    await this.#pool.destroy();
  }

  /** Ends all threads at once. */
  async kill(): Promise<void> {
    this.#stopping = true;
    for (const slot of this.#slots) slot.stopped();
    this.#stalls.stop();
    await this.#pool.destroy();
  }

  /**
   * Claims the shards that are free; returns those that this worker now owns. Rejects with StoreUnavailable,
   * also if the worker ends meanwhile.
   */
  claim(slot: number, shards: readonly number[]): Promise<Epochs> {
    return this.#ask(slot, (token) => ({ type: 'claim', token, shards }));
  }

  /** Returns the shards, of these, that were handed to this worker's session. */
  adopt(slot: number, shards: readonly number[]): Promise<Epochs> {
    return this.#ask(slot, (token) => ({ type: 'adopt', token, shards }));
  }

  /** Hands shards over to a live session. Returns the shards that moved. */
  release(slot: number, shards: readonly number[], to: SessionId): Promise<Epochs> {
    return this.#ask(slot, (token) => ({ type: 'release', token, shards, to }));
  }

  /**
   * Attaches a gateway of another node over its stream, until either end closes. False if no worker here has
   * that session.
   */
  attach(session: SessionId, stream: PeerStream): boolean {
    const slot = this.#slots.find((each) => each.mode === 'live' && each.session === session);
    if (slot === undefined) return false;
    const { port1, port2 } = new MessageChannel();
    stream.onBatch((batch) => port1.postMessage(batch, [batch.buffer]));
    port1.on('message', (batch: Uint8Array<ArrayBuffer>) => stream.post(batch));
    stream.onClose(() => port1.close());
    port1.on('close', () => stream.close());
    slot.tell({ type: 'link', id: ++this.#lastLink, port: port2 }, [port2]);
    return true;
  }

  /** As `NodeQuarantine` says. */
  countFailure(doc: string): void {
    this.#quarantine.countFailure(doc);
  }

  adoptQuarantined(quarantined: Quarantined): void {
    this.#quarantine.adopt(quarantined);
  }

  releaseQuarantined(doc: string): boolean {
    return this.#quarantine.release(doc);
  }

  quarantined(most?: number): readonly Quarantined[] {
    return this.#quarantine.list(most);
  }

  /** Workers that start later get the timeline with `storage`. */
  refuseBelow(timeline: number): void {
    this.#tellAll({ type: 'refuseBelow', timeline });
  }

  #tellAll(message: ToWorker): void {
    for (const slot of this.#slots) slot.tell(message);
  }

  #ask(slot: number, message: (token: number) => ToWorker): Promise<Epochs> {
    const found = this.#slots[slot];
    if (found === undefined) return Promise.reject(new StoreUnavailable(`worker ${slot} is not there`));
    return found.ask(message);
  }

  /** Thread ids by slot, for diagnosis. */
  threads(): readonly (number | undefined)[] {
    return this.#slots.map((slot) => slot.thread);
  }

  #launch(slot: WorkerSlot): Promise<void> {
    const options = this.#options;
    const link = new MessageChannel();
    const control = new MessageChannel();
    const progress = new SharedArrayBuffer(Progress.BYTES);
    const shown = new Progress(progress);
    const abort = new AbortController();
    slot.starting(control.port1, abort);
    this.#stalls.watch(slot.number, () => shown.beats);
    const task: WorkerTask = {
      identity: { run: options.run, node: options.node, slot: slot.number },
      storage: options.storage,
      limits: options.limits,
      progress,
      counts: options.counts(workerThread(slot.number)).memory,
      liveness: options.liveness,
      quarantined: this.quarantined(),
      link: link.port2,
      control: control.port2,
    };
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      let ownerLink: OwnerLink | undefined;
      const received = (message: FromWorker): void => {
        switch (message.type) {
          case 'session':
            slot.session = message.session;
            return;
          case 'ready':
            if (slot.mode === 'stopped') return;
            slot.thread = message.thread;
            slot.setMode('live');
            ownerLink = this.#openLink(slot.number, link.port1);
            options.slotListener.up(slot.number, message.session, ownerLink);
            resolve();
            return;
          case 'claimed':
          case 'released':
          case 'failed':
            slot.answered(message);
            return;
          case 'fold':
            void answerFold(options, control.port1, message);
            return;
          case 'snapshotJob':
            void answerSnapshotJob(options, control.port1, message);
            return;
          case 'writes':
            options.onWrites(slot.number, message.failure);
            return;
          case 'docFailed':
            this.#failedAt(message.doc);
            return;
          case 'log':
            options.log(message.level, message.message, { slot: slot.number, ...message.fields });
            return;
          default:
            throw new Error(`unknown message ${String(message satisfies never)}`);
        }
      };
      control.port1.on('message', (message: FromWorker) => {
        try {
          received(message);
        } catch (error) {
          // A new worker starts from what is durable.
          options.log('error', 'a message of a worker could not be handled: the worker is ended', {
            slot: slot.number,
            type: message.type,
            error: String(error),
          });
          abort.abort();
        }
      });
      const ended = (end: WorkerEnd | undefined, error: unknown): void => {
        this.#stalls.forget(slot.number);
        options.counts(workerThread(slot.number)).forgetGauges();
        link.port1.close();
        control.port1.close();
        slot.rejectAll();
        options.onWrites(slot.number, undefined);
        if (ownerLink !== undefined) options.slotListener.down(slot.number, ownerLink);
        if (slot.mode === 'stopped' || this.#stopping) {
          resolve();
          return;
        }
        const wasLive = slot.mode === 'live';
        options.counts('main').countAs(METRICS.workerEnds, endedBy(end));
        slot.setMode('ended');
        options.log('error', 'a worker has ended', {
          slot: slot.number,
          end,
          error: error === undefined ? undefined : String(error),
        });
        if (error !== undefined) this.#failedAt(shown.current());
        if (!wasLive && slot.failures >= START_ATTEMPTS && !slot.everLive) {
          reject(error instanceof Error ? error : new Error(`a worker cannot start: ${end}`));
          return;
        }
        if (wasLive && performance.now() - startedAt > STEADY_MS) slot.failures = 0;
        if (wasLive) slot.everLive = true;
        this.#relaunch(slot).then(resolve, reject);
      };
      const transferList = [link.port2, control.port2];
      slot.ended = this.#pool.run(task, { transferList, signal: abort.signal }).then(
        (end: WorkerEnd) => ended(end, undefined),
        (error: unknown) => ended(undefined, error),
      );
    });
  }

  /** Fences the sessions of the dead worker, then starts another. Waits while the database is away. */
  async #relaunch(slot: WorkerSlot): Promise<void> {
    const { log } = this.#options;
    for (;;) {
      const delay = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** slot.failures++);
      // The first replacement starts at once, because documents wait for it.
      if (slot.failures > 1)
        await new Promise<void>((wake) => {
          slot.retry = setTimeout(wake, delay);
        });
      if (this.#stopping) return;
      try {
        if (await this.#fence(slot)) break;
        if (this.#stopping) return;
        log('error', 'this node has been fenced', { slot: slot.number });
        this.#options.slotListener.fenced();
        return;
      } catch (error) {
        log('warn', 'a dead worker is not fenced yet', { slot: slot.number, error: String(error) });
      }
    }
    // A destroyed pool would still start a thread for a new task, and no other code would end that thread.
    if (!this.#stopping) await this.#launch(slot);
  }

  /**
   * Fences all sessions of the slot, because a worker may die before it has told its own. False if this run
   * is fenced, and its next worker would be too.
   */
  async #fence(slot: WorkerSlot): Promise<boolean> {
    const { control, controlSession, run } = this.#options;
    const sessions = await control.sessions();
    if (!sessions.some(({ id }) => id === controlSession.id)) return false;
    for (const session of sessions) {
      if (session.run !== run || session.slot !== slot.number) continue;
      if (!(await control.fence(controlSession, { session: session.id }))) return false;
    }
    return true;
  }

  /** Ends a worker whose thread hangs. The document at which it hangs counts as the cause, as after a crash. */
  #endStalled(slot: number): void {
    const { log, stallMs } = this.#options;
    log('error', 'a worker has stalled: it is ended', { slot, stallMs });
    this.#slots[slot]?.abort?.abort();
  }

  /** Ends a worker whose link tells credits that cannot be. */
  #endBroken(slot: number, error: Error): void {
    this.#options.log('error', 'the link of a worker is broken: it is ended', { slot, error: error.message });
    this.#slots[slot]?.abort?.abort();
  }

  #failedAt(doc: string | undefined): void {
    if (doc === undefined) return;
    this.#options.slotListener.docFailed(doc);
    this.countFailure(doc);
  }

  #openLink(slot: number, port: MessagePort): OwnerLink {
    const { limits, messages } = this.#options;
    const link = new Link<ToOwner, ToGateway>(portTransport(port), limits.link, (taken) =>
      messages(link, taken),
    );
    link.gatherer = new Gathering(limits.commit.perSecond, systemClock);
    link.onBroken = (error) => this.#endBroken(slot, error);
    return link;
  }
}

/** Failed starts of a first worker before the node gives up. */
const START_ATTEMPTS = 2;
