// The failure detector of one node: a state machine without timers or sockets. Callers report observations
// with their times; it answers which nodes to suspect and which to fence. It fences no node, sends nothing
// and reads no clock. PostgreSQL decides in the end, so a wrong verdict costs a pause, never an edit.
//
// A peer is one run (one start) of a node. A verdict rests on one of these kinds of evidence:
// - `refused`: the link closed, then a redial was refused. No process listens there any more. The verdict is
//   immediate and hard.
// - `lease`: the lease expired, and the peer is silent or was never heard. The verdict is hard if the link
//   closed or never existed. It is soft if the link is open or was given up by this node. A link that was
//   given up and has not come back within fenceGapMs makes it hard, so that many nodes that vanish at once do
//   not wait for each other's gaps.
// - `observers`: two observers, this node among them, miss the peer's heartbeats (soft). If this node hears
//   no other peer, the silence may be its own fault, and only refusals and leases count. This holds with two
//   nodes, and for the lonely side of a partition.
// - `database`: the peer itself has said for `strandedMs` that it does not reach the database, while this
//   node has reached the database for `steadyMs`. The peer's documents stand still although the peer lives
//   (soft). While the database is away for all nodes, no node can be fenced; once it is back, every node has
//   time to find it.
// The whole cluster has one soft verdict per fenceGapMs: on a saturated machine live peers look dead, and
// each takeover adds load.
//
// Silence is counted from the last heartbeat or pulse, or from the last time when this observer was itself
// late, because an observer that is late hears nothing. Two punctual ticks in a row must see the silence,
// since sockets are read between ticks. A peer that was never heard counts as new, not as silent. A witness
// must be heard by heartbeats, because it would take back its suspicion over the same way. Pulses prove that
// a process lives, not that its main thread has read anything.
//
// A peer has no table of legal moves. Its fields are the latest observations of sources that know nothing of
// each other, and every order of them is possible: a link comes up again before its end was reported, a refused
// dial answers after a new link, a lease expires and is seen again. An assertion about their order would end a
// node for the delay of a message.

export interface DetectorTimes {
  /** Interval at which peers send heartbeats, and also pulses. */
  readonly heartbeatMs: number;
  /** A peer is silent after so many intervals in a row without a heartbeat or a pulse. */
  readonly missedHeartbeats: number;
  /** Interval of `tick`. A tick that comes after more than twice this time is late. */
  readonly tickMs: number;
  /**
   * Minimum time between soft verdicts, and after any fence. A link that was given up has as long to come
   * back.
   */
  readonly fenceGapMs: number;
  readonly strandedMs: number;
  readonly steadyMs: number;
  /** Suspicions and verdicts that last are repeated at this interval. */
  readonly repeatMs: number;
}

export const DETECTOR_TIMES: DetectorTimes = {
  heartbeatMs: 200,
  missedHeartbeats: 3,
  tickMs: 100,
  fenceGapMs: 5000,
  strandedMs: 1500,
  steadyMs: 3000,
  repeatMs: 1000,
};

export type DetectorEvent =
  | { readonly type: 'tick' }
  /** A live session of this run exists. */
  | { readonly type: 'known'; readonly run: string }
  /** The run left, or its sessions are fenced. The detector forgets the run. */
  | { readonly type: 'gone'; readonly run: string }
  | { readonly type: 'link-up'; readonly run: string }
  /** The other end or the operating system closed the link. */
  | { readonly type: 'link-closed'; readonly run: string }
  /**
   * This node closed the link: the peer was silent for too long, read too slowly, or broke the protocol. The
   * peer may be alive, and may come back at once.
   */
  | { readonly type: 'link-given-up'; readonly run: string }
  /**
   * A dial after the end of the link was refused (ECONNREFUSED). A dial that timed out is not such an event.
   */
  | { readonly type: 'refused'; readonly run: string }
  | { readonly type: 'heartbeat'; readonly run: string }
  /** A sign of life from the peer's lease thread, which does not wait for the main thread. */
  | { readonly type: 'pulse'; readonly run: string }
  /**
   * `expired`: the lease was there, or should be there by now. `unknown`: Redis is away, or Redis came back
   * so recently that leases may still be missing, or the run is so new that it may have no lease yet.
   */
  | { readonly type: 'lease'; readonly run: string; readonly lease: LeaseSighting }
  /** The observer `by` suspects this run, or has ceased to suspect it. */
  | { readonly type: 'suspicion'; readonly run: string; readonly by: string; readonly suspects: boolean }
  /** Whether that run says that it reaches the database. */
  | { readonly type: 'database'; readonly run: string; readonly reached: boolean }
  /** Whether this node reaches the database. */
  | { readonly type: 'own-database'; readonly reached: boolean }
  /** A node has fenced this run. */
  | { readonly type: 'fenced'; readonly run: string };

export type LeaseSighting = 'seen' | 'expired' | 'unknown';
export type Evidence = 'refused' | 'lease' | 'observers' | 'database';

export type DetectorEffect =
  /** To be sent to all peers. */
  | { readonly type: 'suspect'; readonly run: string }
  | { readonly type: 'unsuspect'; readonly run: string }
  /** To be fenced; then its shards are taken over. */
  | { readonly type: 'dead'; readonly run: string; readonly evidence: Evidence; readonly hard: boolean };

interface Peer {
  link: 'new' | 'up' | 'closed' | 'given-up';
  /** When this node last gave up the link. */
  givenUpMs: number;
  refused: boolean;
  lease: LeaseSighting;
  /** Time of the last heartbeat or pulse. Undefined before the first one. */
  heardMs: number | undefined;
  /** Time of the last heartbeat. */
  beatenMs: number | undefined;
  /** Punctual ticks in a row at which the peer was silent. */
  silentTicks: number;
  suspected: boolean;
  /** When the suspicion was last told. */
  toldMs: number;
  /** Other observers that suspect this peer. */
  readonly reports: Set<string>;
  verdictMs: number | undefined;
  /** Since when the peer has said that it does not reach the database. */
  strandedSinceMs: number | undefined;
}

const SILENT_TICKS = 2;

export class Detector {
  readonly #times: DetectorTimes;
  readonly #peers = new Map<string, Peer>();
  #lastTickMs: number | undefined;
  /** Silence before this time does not count. */
  #attentiveSinceMs = Number.NEGATIVE_INFINITY;
  #softNotBeforeMs = Number.NEGATIVE_INFINITY;
  /** Since when this node has reached the database. Undefined while it does not. */
  #databaseSinceMs: number | undefined;

  constructor(times: DetectorTimes = DETECTOR_TIMES) {
    this.#times = times;
  }

  /** `nowMs` never goes back. Events of unknown runs are dropped, except `fenced`. */
  step(event: DetectorEvent, nowMs: number): readonly DetectorEffect[] {
    switch (event.type) {
      case 'tick':
        return this.#tick(nowMs);
      case 'known':
        if (!this.#peers.has(event.run)) this.#peers.set(event.run, newPeer());
        return [];
      case 'fenced':
        this.#softNotBeforeMs = nowMs + this.#times.fenceGapMs;
        return this.#forget(event.run);
      case 'gone':
        return this.#forget(event.run);
      case 'own-database':
        this.#databaseSinceMs = event.reached ? (this.#databaseSinceMs ?? nowMs) : undefined;
        return [];
      default: {
        const peer = this.#peers.get(event.run);
        return peer === undefined ? [] : this.#observe(peer, event, nowMs);
      }
    }
  }

  #observe(
    peer: Peer,
    event: Exclude<DetectorEvent, { type: 'tick' | 'known' | 'gone' | 'fenced' | 'own-database' }>,
    nowMs: number,
  ): readonly DetectorEffect[] {
    switch (event.type) {
      case 'link-up':
        // The end of the link that this one replaces is not reported.
        this.#dropToldBy(event.run, peer);
        peer.link = 'up';
        peer.refused = false;
        return [];
      case 'link-closed':
        peer.link = 'closed';
        this.#dropToldBy(event.run, peer);
        return [];
      case 'link-given-up':
        peer.link = 'given-up';
        peer.givenUpMs = nowMs;
        this.#dropToldBy(event.run, peer);
        return [];
      case 'database':
        peer.strandedSinceMs = event.reached ? undefined : (peer.strandedSinceMs ?? nowMs);
        return [];
      case 'refused':
        // A peer that was never linked may be about to listen.
        if (peer.link !== 'closed' && peer.link !== 'given-up') return [];
        peer.refused = true;
        return this.#judge(event.run, peer, nowMs);
      case 'heartbeat':
      case 'pulse': {
        peer.heardMs = nowMs;
        if (event.type === 'heartbeat') peer.beatenMs = nowMs;
        peer.silentTicks = 0;
        if (!peer.suspected) return [];
        peer.suspected = false;
        return [{ type: 'unsuspect', run: event.run }];
      }
      case 'lease':
        peer.lease = event.lease;
        return this.#judge(event.run, peer, nowMs);
      case 'suspicion':
        if (!event.suspects) peer.reports.delete(event.by);
        else if (this.#peers.has(event.by) && event.by !== event.run) peer.reports.add(event.by);
        return this.#judge(event.run, peer, nowMs);
      default:
        return impossible(event);
    }
  }

  #tick(nowMs: number): readonly DetectorEffect[] {
    const late = this.#lastTickMs !== undefined && nowMs - this.#lastTickMs > 2 * this.#times.tickMs;
    if (late || this.#lastTickMs === undefined) this.#attentiveSinceMs = nowMs;
    this.#lastTickMs = nowMs;
    const effects: DetectorEffect[] = [];
    // All peers are checked for silence before the first is judged: a node that hears no peer must not count
    // itself as a witness.
    for (const [run, peer] of this.#peers) {
      peer.silentTicks = this.#isSilent(peer, nowMs) ? peer.silentTicks + 1 : 0;
      if (!peer.suspected && peer.silentTicks < SILENT_TICKS) continue;
      if (peer.suspected && nowMs - peer.toldMs < this.#times.repeatMs) continue;
      peer.suspected = true;
      peer.toldMs = nowMs;
      effects.push({ type: 'suspect', run });
    }
    for (const [run, peer] of this.#peers) effects.push(...this.#judge(run, peer, nowMs));
    return effects;
  }

  #isSilent(peer: Peer, nowMs: number): boolean {
    return peer.heardMs !== undefined && this.#isOverdue(peer.heardMs, nowMs);
  }

  #isOverdue(lastMs: number, nowMs: number): boolean {
    const sinceMs = Math.max(lastMs, this.#attentiveSinceMs);
    return nowMs - sinceMs >= this.#times.missedHeartbeats * this.#times.heartbeatMs;
  }

  #judge(run: string, peer: Peer, nowMs: number): readonly DetectorEffect[] {
    const found = this.#evidence(run, peer, nowMs);
    if (found === undefined) return [];
    if (peer.verdictMs !== undefined && nowMs - peer.verdictMs < this.#times.repeatMs) return [];
    if (!found.hard) {
      if (nowMs < this.#softNotBeforeMs) return [];
      this.#softNotBeforeMs = nowMs + this.#times.fenceGapMs;
    }
    peer.verdictMs = nowMs;
    return [{ type: 'dead', run, ...found }];
  }

  #evidence(run: string, peer: Peer, nowMs: number): { evidence: Evidence; hard: boolean } | undefined {
    if (peer.refused) return { evidence: 'refused', hard: true };
    // A suspicion from before a pause of this node does not count until new ticks confirm it.
    const silent = peer.silentTicks >= SILENT_TICKS && this.#isPunctual(nowMs);
    if (peer.lease === 'expired') {
      const absent = peer.heardMs === undefined && peer.link !== 'up' && this.#isAttentive(nowMs);
      const hard =
        peer.link === 'closed' ||
        peer.link === 'new' ||
        (peer.link === 'given-up' && nowMs - peer.givenUpMs >= this.#times.fenceGapMs);
      if (silent || absent) return { evidence: 'lease', hard };
    }
    if (silent && this.#isWitnessed(run, peer, nowMs)) return { evidence: 'observers', hard: false };
    return this.#isStranded(peer, nowMs) ? { evidence: 'database', hard: false } : undefined;
  }

  #isStranded({ strandedSinceMs }: Peer, nowMs: number): boolean {
    const databaseSinceMs = this.#databaseSinceMs;
    const times = this.#times;
    if (strandedSinceMs === undefined || databaseSinceMs === undefined) return false;
    return nowMs - strandedSinceMs >= times.strandedMs && nowMs - databaseSinceMs >= times.steadyMs;
  }

  /** True if another peer that this node hears suspects the peer too. */
  #isWitnessed(run: string, peer: Peer, nowMs: number): boolean {
    for (const [other, state] of this.#peers)
      if (other !== run && peer.reports.has(other) && this.#isCredible(state, nowMs)) return true;
    return false;
  }

  #isCredible({ beatenMs, suspected, silentTicks }: Peer, nowMs: number): boolean {
    return beatenMs !== undefined && !this.#isOverdue(beatenMs, nowMs) && !suspected && silentTicks === 0;
  }

  /**
   * Checks the last tick against the present: a delayed event is handled before the late tick that would show
   * the delay.
   */
  #isPunctual(nowMs: number): boolean {
    return this.#lastTickMs !== undefined && nowMs - this.#lastTickMs <= 2 * this.#times.tickMs;
  }

  #isAttentive(nowMs: number): boolean {
    return (
      this.#isPunctual(nowMs) &&
      nowMs - this.#attentiveSinceMs >= this.#times.missedHeartbeats * this.#times.heartbeatMs
    );
  }

  #forget(run: string): readonly DetectorEffect[] {
    const peer = this.#peers.get(run);
    this.#peers.delete(run);
    this.#dropReportsBy(run);
    return peer?.suspected ? [{ type: 'unsuspect', run }] : [];
  }

  /**
   * Drops the reports that came over a link that has ended, because the peer may take them back unheard. If
   * they still hold, the peer repeats them.
   */
  #dropToldBy(run: string, peer: Peer): void {
    this.#dropReportsBy(run);
    peer.strandedSinceMs = undefined;
  }

  #dropReportsBy(run: string): void {
    for (const peer of this.#peers.values()) peer.reports.delete(run);
  }
}

function newPeer(): Peer {
  return {
    link: 'new',
    givenUpMs: 0,
    refused: false,
    lease: 'unknown',
    heardMs: undefined,
    beatenMs: undefined,
    silentTicks: 0,
    suspected: false,
    toldMs: 0,
    reports: new Set(),
    verdictMs: undefined,
    strandedSinceMs: undefined,
  };
}

function impossible(event: never): never {
  throw new Error(`no such event: ${JSON.stringify(event)}`);
}
