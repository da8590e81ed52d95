// The reaction of a node to the death of another: it feeds the failure detector with observations, and fences
// the nodes that the detector declares dead. The controller decides which node takes over which shard. All
// survivors may fence the same run: the first in order fences at once, the others only if the first has not.
import type { Clock } from '../../actors/clock.ts';
import { METRICS } from '../../actors/metrics/metrics.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import type { ControlStore, OpenedSession } from '../../actors/storage/store.ts';
import type { ControlMessage } from '../news/control-messages.ts';
import type { PeerEnd, ProbeResult } from '../peer/network.ts';
import {
  DETECTOR_TIMES,
  Detector,
  type DetectorEffect,
  type DetectorEvent,
  type Evidence,
} from './detector.ts';
import { DEFAULT_LEASE_TTL_MS, type LeaseStore } from './lease-store.ts';
import type { Members } from './members.ts';

export interface TakeoverOptions {
  readonly run: string;
  readonly session: OpenedSession;
  readonly store: ControlStore;
  readonly leases: LeaseStore;
  readonly clock: Clock;
  readonly counts: ThreadCounts;
  readonly members: Members;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  readonly probe: (run: string, timeoutMs: number) => Promise<ProbeResult> | undefined;
  /** Sends to all peers. */
  readonly tell: (message: ControlMessage) => void;
  /** Called when a run has been fenced and can no longer write. */
  readonly onFenced: (run: string) => void;
  readonly onSelfFenced: () => void;
}

const PROBE_MS = 500;
const LEASES_EVERY_MS = 1000;
/** Delay between one survivor's turn and the next one's. */
const TURN_MS = 250;

export class Takeover {
  readonly #options: TakeoverOptions;
  readonly #detector = new Detector();
  readonly #fencing = new Set<string>();
  /**
   * Runs that wait for this node's turn to fence them, each with the evidence and the function that cancels
   * the fencing if the run shows a sign of life.
   */
  readonly #sentenced = new Map<string, { readonly evidence: Evidence; readonly cancel: () => void }>();
  readonly #knownSince = new Map<string, number>();

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /** The returned function stops it. */
  start(): () => void {
    const { clock } = this.#options;
    const stopTicks = clock.every(DETECTOR_TIMES.tickMs, () => this.#step({ type: 'tick' }));
    const stopLeases = clock.every(LEASES_EVERY_MS, () => void this.#readLeases());
    return () => {
      stopTicks();
      stopLeases();
      for (const run of [...this.#sentenced.keys()]) this.#reprieve(run);
    };
  }

  known(run: string): void {
    this.#knownSince.set(run, this.#options.clock.now());
    this.#step({ type: 'known', run });
  }

  gone(run: string): void {
    this.#knownSince.delete(run);
    this.#reprieve(run);
    this.#step({ type: 'gone', run });
  }

  linkUp(run: string): void {
    this.#isAlive(run);
    this.#step({ type: 'link-up', run });
  }

  linkDown(run: string, reason: PeerEnd): void {
    const end = whatEnded(reason);
    if (end === undefined) return;
    this.#step({ type: end, run });
    this.#options.probe(run, PROBE_MS)?.then(
      (result) => {
        if (result === 'refused' || result === 'replaced') this.#step({ type: 'refused', run });
      },
      () => undefined,
    );
  }

  dialFailed(run: string, how: 'refused' | 'replaced' | 'unreachable'): void {
    if (how !== 'unreachable') this.#step({ type: 'refused', run });
  }

  heard(run: string, by: 'heartbeat' | 'pulse'): void {
    this.#isAlive(run);
    this.#step({ type: by, run });
  }

  /** Whether that run says that it reaches the database. Without `run`: whether this node reaches it. */
  database(reached: boolean, run?: string): void {
    if (reached && run !== undefined) this.#reprieve(run);
    this.#step(run === undefined ? { type: 'own-database', reached } : { type: 'database', run, reached });
  }

  suspicion(run: string, by: string, suspects: boolean): void {
    this.#step({ type: 'suspicion', run, by, suspects });
  }

  /** Fences the run at once: this node listens at the run's address, so its process is gone. */
  predecessor(run: string): void {
    void this.#fence(run, false, 'predecessor');
  }

  /** Called when any node has fenced the run. */
  wasFenced(run: string): void {
    this.#step({ type: 'fenced', run });
    if (run === this.#options.run) this.#options.onSelfFenced();
    else this.#options.onFenced(run);
  }

  #step(event: DetectorEvent): void {
    for (const effect of this.#detector.step(event, this.#options.clock.now())) this.#carryOut(effect);
  }

  #carryOut(effect: DetectorEffect): void {
    switch (effect.type) {
      case 'suspect':
      case 'unsuspect':
        this.#options.tell({ type: 'suspicion', run: effect.run, suspects: effect.type === 'suspect' });
        return;
      case 'dead': {
        const { run, hard, evidence } = effect;
        // The detector has repeated its verdict before this node's turn. The repetition must not postpone the
        // turn.
        if (this.#sentenced.get(run)?.evidence === evidence) return;
        this.#reprieve(run);
        const cancel = this.#options.clock.after(TURN_MS * this.#turn(run), () => {
          this.#sentenced.delete(run);
          void this.#fence(run, !hard, evidence);
        });
        this.#sentenced.set(run, { evidence, cancel });
        return;
      }
      default:
        throw new Error(`unknown effect ${String(effect satisfies never)}`);
    }
  }

  /** Cancels the fencing, unless the run is sentenced because it lives without its database. */
  #isAlive(run: string): void {
    if (this.#sentenced.get(run)?.evidence !== 'database') this.#reprieve(run);
  }

  #reprieve(run: string): void {
    this.#sentenced.get(run)?.cancel();
    this.#sentenced.delete(run);
  }

  /** The number of survivors that come before this one. */
  #turn(victim: string): number {
    const { members, run } = this.#options;
    let before = 0;
    for (const member of members.all())
      if (member.run !== victim && member.run < run && member.peer !== undefined) before++;
    return before;
  }

  async #fence(run: string, soft: boolean, evidence: Evidence | 'predecessor'): Promise<void> {
    const { store, session, members, counts, log, tell, leases, onSelfFenced } = this.#options;
    if (this.#fencing.has(run) || members.get(run) === undefined) return;
    this.#fencing.add(run);
    try {
      const fenced = soft
        ? await store.fence(session, { run }, { soft: true })
        : await store.fence(session, { run });
      if (fenced === 'too-soon') return;
      if (!fenced) {
        // A draining node may not fence, and lives on.
        if ((await store.sessionState(session.id)) !== 'draining') onSelfFenced();
        return;
      }
      counts.countAs(METRICS.nodesFenced, evidence);
      log('warn', 'a node was fenced', { run, victim: members.get(run)?.node, evidence });
      const message = { type: 'fenced', run } as const;
      tell(message);
      leases.publish(JSON.stringify(message)).catch(() => undefined);
      store.notify('fenced').catch(() => undefined);
      this.wasFenced(run);
    } catch (error) {
      // The detector repeats the verdict while the run is there.
      log('warn', 'a dead node is not fenced yet', { run, error: String(error) });
    } finally {
      this.#fencing.delete(run);
    }
  }

  async #readLeases(): Promise<void> {
    const { leases, members, clock } = this.#options;
    const since = leases.steadySince();
    const now = clock.now();
    const isLongAgo = (at: number | undefined): boolean =>
      at !== undefined && now - at > DEFAULT_LEASE_TTL_MS + LEASES_EVERY_MS;
    const known = isLongAgo(since);
    const seen = known
      ? await leases.list().then(
          (all) => new Set(all.map((lease) => lease.run)),
          () => undefined,
        )
      : undefined;
    for (const { run } of [...members.all()]) {
      // A run is in the database before it has a lease.
      const isOld = isLongAgo(this.#knownSince.get(run));
      const lease = seen?.has(run) ? 'seen' : seen !== undefined && isOld ? 'expired' : 'unknown';
      this.#step({ type: 'lease', run, lease });
    }
  }
}

/** The meaning of a connection's end for the failure detector. Undefined if it has none. */
function whatEnded(reason: PeerEnd): 'link-closed' | 'link-given-up' | undefined {
  switch (reason) {
    case 'closed-there':
    case 'lost':
      return 'link-closed';
    case 'silent':
    case 'slow':
    case 'oversize':
    case 'violation':
      return 'link-given-up';
    // A newer connection of the same run comes up at the same moment.
    case 'superseded':
    case 'closed-here':
      return undefined;
    default:
      throw new Error(`unknown end ${String(reason satisfies never)}`);
  }
}
