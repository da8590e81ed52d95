// Keeps the lease of a node: renews it for as long as the node's threads show signs of life, and confirms
// from the database that the node's sessions have not been fenced. It decides nothing about other nodes. It
// runs in a thread without documents (lease-worker.ts), or in a simulation.

import type { Timers } from '../../actors/clock.ts';
import { CONFIRM_MS, type Liveness, MAIN } from '../../actors/liveness/liveness.ts';
import { METRICS } from '../../actors/metrics/metrics.ts';
import { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import type { SessionId, SessionState } from '../../actors/storage/store.ts';
import type { Lease, LeaseStore, LeaseStoreState } from './lease-store.ts';

export interface LeaseKeeperSettings {
  /** Interval at which the lease is renewed and the sessions are confirmed. */
  readonly renewMs: number;
  /**
   * A thread without a beat for this long has stalled. The lease is not renewed until the thread beats again.
   */
  readonly stallMs?: number;
  /** The same for the threads of workers, which the node itself ends when they stall. `stallMs` if left out. */
  readonly workerStallMs?: number;
}

export interface LeaseKeeperOptions extends LeaseKeeperSettings {
  /** Undefined on a node without a cluster. Then only the sessions are confirmed. */
  readonly store: LeaseStore | undefined;
  readonly sessionState: (session: SessionId) => Promise<SessionState | undefined>;
  readonly liveness: Liveness;
  /** `now` is `monotonicMs`, or the clock of a simulation. */
  readonly clock: Timers;
  readonly lease: Lease;
  /** The counts of this thread. */
  readonly counts?: ThreadCounts;
  readonly tell: (event: LeaseEvent) => void;
}

export type LeaseEvent =
  /** The database has that session fenced. Told once for each session. */
  | { readonly type: 'fenced'; readonly slot: number; readonly session: SessionId }
  /** The threads (slots, MAIN) that have not beaten for `stallMs`. Empty when all beat again. */
  | { readonly type: 'stalled'; readonly slots: readonly number[] }
  /** Whether the last renewal succeeded. Told when it changes. */
  | { readonly type: 'renewing'; readonly succeeds: boolean; readonly reason: string | undefined }
  /** Whether the database answers about this node's sessions. Told when it changes. */
  | { readonly type: 'confirming'; readonly succeeds: boolean; readonly reason: string | undefined }
  /**
   * Whether that peer can be sent pulses (pulse-sender.ts). Told after it has failed for long, and when it
   * works again.
   */
  | { readonly type: 'pulsing'; readonly succeeds: boolean; readonly run: string }
  | { readonly type: 'redis'; readonly state: LeaseStoreState; readonly reason: string | undefined };

export const DEFAULT_STALL_MS = 5_000;

/** After this time a question counts as unanswered, even if an answer follows. */
const ANSWER_MS = 2_000;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #stallMs: number;
  readonly #workerStallMs: number;
  readonly #counts: ThreadCounts;
  readonly #pulses = new Map<number, Pulse>();
  readonly #fenced = new Set<SessionId>();
  #lease: Lease;
  #stalled: readonly number[] = [];
  #renewing: Promise<void> | undefined;
  #again = false;
  #succeeds: boolean | undefined;
  #confirms: boolean | undefined;
  #stopped = false;
  #cancelRenewal = (): void => {};
  #cancelPoll = (): void => {};
  #cancelLate = (): void => {};
  #unwatch = (): void => {};

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#counts = options.counts ?? new ThreadCounts();
    this.#lease = options.lease;
    this.#stallMs = options.stallMs ?? DEFAULT_STALL_MS;
    this.#workerStallMs = options.workerStallMs ?? this.#stallMs;
  }

  start(): void {
    const { store, tell } = this.#options;
    if (store !== undefined) {
      this.#unwatch = store.onState((state, reason) => {
        tell({ type: 'redis', state, reason });
        // If Redis was away or has lost its data, the lease must be written before the other nodes miss it.
        if (state !== 'down') this.#renewSoon();
      });
    }
    this.#renewalDue();
    void this.#pollDue();
  }

  /** Sets the lease to write from now on. */
  setLease(lease: Lease): void {
    this.#lease = lease;
    const slots = this.#slots();
    for (const slot of this.#pulses.keys()) if (!slots.includes(slot)) this.#pulses.delete(slot);
    this.#renewSoon();
  }

  /**
   * Ends the renewals. With `release` the lease ends at once if Redis can be reached. The caller closes the
   * store.
   */
  async stop(release: boolean): Promise<void> {
    this.#stopped = true;
    this.#cancelRenewal();
    this.#cancelPoll();
    this.#cancelLate();
    this.#unwatch();
    // A renewal under way would bring the lease back.
    await this.#renewing;
    if (!release) return;
    try {
      await this.#options.store?.release(this.#lease.run);
    } catch {
      // The lease expires.
    }
  }

  // The lease.

  #renewalDue(): void {
    if (this.#stopped) return;
    this.#cancelRenewal = this.#options.clock.after(this.#options.renewMs, () => this.#renewalDue());
    this.#renewSoon();
  }

  /** Only one renewal is under way at a time. The next one writes changes that come meanwhile. */
  #renewSoon(): void {
    if (this.#stopped) return;
    this.#watch();
    if (this.#stalled.length > 0 || this.#options.store === undefined) return;
    if (this.#renewing !== undefined) {
      this.#again = true;
      return;
    }
    this.#renewing = this.#renew(this.#options.store).then(() => {
      this.#renewing = undefined;
      const again = this.#again;
      this.#again = false;
      if (again) this.#renewSoon();
    });
  }

  async #renew(store: LeaseStore): Promise<void> {
    const { tell, clock } = this.#options;
    const since = clock.now();
    let reason: string | undefined;
    try {
      await store.renew(this.#lease);
      this.#counts.observe(METRICS.redisSeconds, (clock.now() - since) / 1_000);
    } catch (error) {
      reason = String(error);
    }
    const succeeds = reason === undefined;
    this.#counts.set(METRICS.redisUp, succeeds ? 1 : 0);
    if (succeeds === this.#succeeds) return;
    this.#succeeds = succeeds;
    tell({ type: 'renewing', succeeds, reason });
  }

  /**
   * Finds the threads that have stalled. After this process was stopped for long, every thread counts as
   * stalled until it has beaten twice.
   */
  #watch(): void {
    const { liveness, clock, tell } = this.#options;
    const now = clock.now();
    const stalled = this.#slots().filter((slot) => {
      const beats = liveness.beats(slot);
      const pulse = this.#pulses.get(slot);
      const stallMs = slot === MAIN ? this.#stallMs : this.#workerStallMs;
      if (pulse === undefined) {
        this.#pulses.set(slot, { beats, at: now, doubted: false });
        return false;
      }
      if (pulse.beats !== beats) {
        pulse.beats = beats;
        // One beat after a long silence does not end the stall.
        pulse.doubted = now - pulse.at > stallMs && !pulse.doubted;
        if (!pulse.doubted) pulse.at = now;
      }
      return now - pulse.at > stallMs;
    });
    if (String(stalled) === String(this.#stalled)) return;
    this.#stalled = stalled;
    tell({ type: 'stalled', slots: stalled });
  }

  #slots(): number[] {
    return [MAIN, ...this.#lease.workers.map(({ slot }) => slot)];
  }

  // The sessions.

  async #pollDue(): Promise<void> {
    const { clock, renewMs } = this.#options;
    const startedAt = clock.now();
    // The store may keep trying for longer. The main thread is told before that.
    this.#cancelLate = clock.after(ANSWER_MS, () => this.#confirming(`no answer within ${ANSWER_MS} ms`));
    let reason: string | undefined;
    try {
      await Promise.all(this.#sessions().map((part) => this.#confirm(part, startedAt)));
    } catch (error) {
      reason = String(error);
    }
    this.#cancelLate();
    this.#confirming(reason);
    if (this.#stopped) return;
    this.#cancelPoll = clock.after(
      Math.max(0, startedAt + renewMs - clock.now()),
      () => void this.#pollDue(),
    );
  }

  /** @param reason why the database does not answer; undefined if it does */
  #confirming(reason: string | undefined): void {
    const succeeds = reason === undefined;
    if (this.#stopped || succeeds === this.#confirms) return;
    this.#confirms = succeeds;
    this.#options.tell({ type: 'confirming', succeeds, reason });
  }

  /** The confirmation counts from before the question was sent, because the answer may be as old as that. */
  async #confirm({ slot, session }: Part, startedAt: number): Promise<void> {
    const { sessionState, liveness, tell } = this.#options;
    const state = await sessionState(session);
    if (this.#stopped || !this.#sessions().some((part) => part.session === session)) return;
    if (state === 'live' || state === 'draining') {
      liveness.confirm(slot, startedAt + CONFIRM_MS);
    } else if (!this.#fenced.has(session)) {
      this.#fenced.add(session);
      tell({ type: 'fenced', slot, session });
    }
  }

  #sessions(): Part[] {
    return [{ slot: MAIN, session: this.#lease.session }, ...this.#lease.workers];
  }
}

/** The last beats seen, and since when they count. `doubted`: they have changed once since a silence. */
interface Pulse {
  beats: number;
  at: number;
  doubted: boolean;
}

interface Part {
  readonly slot: number;
  readonly session: SessionId;
}
