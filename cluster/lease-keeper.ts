// Keeps a node's lease: renews it for as long as the threads that it speaks for show signs of life, and
// confirms from the database that the node's sessions have not been fenced. It decides nothing about other
// nodes. It runs in a thread without documents (lease-worker.ts), or in a simulation.
import { CONFIRM_MS, type Liveness, MAIN } from '../actors/liveness.ts';
import type { SessionId, SessionState } from '../actors/storage/store.ts';
import type { Lease, LeaseStore, LeaseStoreState } from './lease-store.ts';
import type { Clock } from './peer/clock.ts';

export interface LeaseKeeperSettings {
  /** How often the lease is renewed and the sessions are asked for. */
  readonly renewMs: number;
  /** A thread without a beat for this long has stalled, and the lease is renewed no more until it beats. */
  readonly stallMs?: number;
}

export interface LeaseKeeperOptions extends LeaseKeeperSettings {
  /** undefined: the node is alone; only its sessions are confirmed. */
  readonly store: LeaseStore | undefined;
  readonly sessionState: (session: SessionId) => Promise<SessionState | undefined>;
  readonly liveness: Liveness;
  /** `now` is `monotonicMs`, or a simulation's. */
  readonly clock: Clock;
  readonly lease: Lease;
  readonly tell: (event: LeaseEvent) => void;
}

export type LeaseEvent =
  /** The database has that session fenced. Said once for each. */
  | { readonly type: 'fenced'; readonly slot: number; readonly session: SessionId }
  /** These threads (slots, MAIN) have not beaten for `stallMs`; empty: all do again. */
  | { readonly type: 'stalled'; readonly slots: readonly number[] }
  /** Whether the last renewal succeeded; said when it changes. */
  | { readonly type: 'renewing'; readonly succeeds: boolean; readonly reason: string | undefined }
  /** Whether the database answers about our sessions; said when it changes. */
  | { readonly type: 'confirming'; readonly succeeds: boolean; readonly reason: string | undefined }
  /** Whether that peer can be sent pulses (pulse-sender.ts); said when it could not be for long, and when it can again. */
  | { readonly type: 'pulsing'; readonly succeeds: boolean; readonly run: string }
  | { readonly type: 'redis'; readonly state: LeaseStoreState; readonly reason: string | undefined };

export const DEFAULT_STALL_MS = 5_000;

/** After that a question has no answer, whatever comes of it. */
const ANSWER_MS = 2_000;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #stallMs: number;
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
    this.#lease = options.lease;
    this.#stallMs = options.stallMs ?? DEFAULT_STALL_MS;
  }

  start(): void {
    const { store, tell } = this.#options;
    if (store !== undefined) {
      this.#unwatch = store.onState((state, reason) => {
        tell({ type: 'redis', state, reason });
        // After Redis was away or has lost everything, the lease is to be there before it is missed.
        if (state !== 'down') this.#renewSoon();
      });
    }
    this.#renewalDue();
    void this.#pollDue();
  }

  /** What the lease says from now on. */
  setLease(lease: Lease): void {
    this.#lease = lease;
    const slots = this.#slots();
    for (const slot of this.#pulses.keys()) if (!slots.includes(slot)) this.#pulses.delete(slot);
    this.#renewSoon();
  }

  /** Renews no more; `release` ends the lease at once, where Redis can be reached. The store is the caller's to close. */
  async stop(release: boolean): Promise<void> {
    this.#stopped = true;
    this.#cancelRenewal();
    this.#cancelPoll();
    this.#cancelLate();
    this.#unwatch();
    // One that is under way would bring the lease back.
    await this.#renewing;
    if (!release) return;
    try {
      await this.#options.store?.release(this.#lease.run);
    } catch {
      // Then it expires.
    }
  }

  // The lease.

  #renewalDue(): void {
    if (this.#stopped) return;
    this.#cancelRenewal = this.#options.clock.after(this.#options.renewMs, () => this.#renewalDue());
    this.#renewSoon();
  }

  /** One renewal is under way at a time; what changes meanwhile is in the next. */
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
    const { tell } = this.#options;
    let reason: string | undefined;
    try {
      await store.renew(this.#lease);
    } catch (error) {
      reason = String(error);
    }
    const succeeds = reason === undefined;
    if (succeeds === this.#succeeds) return;
    this.#succeeds = succeeds;
    tell({ type: 'renewing', succeeds, reason });
  }

  /** After this process was stopped for long all its threads are taken as stalled, until they have beaten twice. */
  #watch(): void {
    const { liveness, clock, tell } = this.#options;
    const now = clock.now();
    const stalled = this.#slots().filter((slot) => {
      const beats = liveness.beats(slot);
      const pulse = this.#pulses.get(slot);
      if (pulse === undefined) {
        this.#pulses.set(slot, { beats, at: now, doubted: false });
        return false;
      }
      if (pulse.beats !== beats) {
        pulse.beats = beats;
        // One beat after a long silence does not end it.
        pulse.doubted = now - pulse.at > this.#stallMs && !pulse.doubted;
        if (!pulse.doubted) pulse.at = now;
      }
      return now - pulse.at > this.#stallMs;
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
    // The store may be patient, and ask again elsewhere: the others are told before.
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

  /** @param reason why not; undefined: the database answers */
  #confirming(reason: string | undefined): void {
    const succeeds = reason === undefined;
    if (this.#stopped || succeeds === this.#confirms) return;
    this.#confirms = succeeds;
    this.#options.tell({ type: 'confirming', succeeds, reason });
  }

  /** Counts from before the question was asked: the answer may be as old. */
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

/** The beats last seen, and since when they count; `doubted`: they have been seen to move once since a silence. */
interface Pulse {
  beats: number;
  at: number;
  doubted: boolean;
}

interface Part {
  readonly slot: number;
  readonly session: SessionId;
}
