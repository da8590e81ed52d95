// Who is dead: the failure detector of one node, a state machine without timers or sockets. It is told what
// was seen and when, and says whom to suspect and whom to fence. It fences nobody, tells nobody and reads no
// clock. Postgres decides in the end: a wrong verdict costs a pause, never an edit.
//
// A peer is one run (one start) of a node. Verdicts, by evidence:
// - `refused`: its link closed, then a redial was refused. Nothing listens there any more: at once, hard.
// - `lease`: its lease expired, it is silent or was never heard, and its link closed or never was (hard), or is
//   dead: open, or given up by us (soft; hard where it has not come back for fenceGapMs, so that of many that vanish
//   at once none waits for the others' gaps).
// - `observers`: two observers, this one among them, miss its heartbeats (soft). Where it hears no
//   other, silence proves as much about this node as about the peer: then only refusals and leases count.
//   So with two nodes, and for the lonely one of a partition.
// - `database`: it says itself that it does not reach the database, and has said so for `strandedMs`, while this node
//   has reached it for `steadyMs`: its documents stand still though it lives (soft). Where the database is away for all
//   nobody can be fenced, and when it is back everyone has time to find it.
// Of soft verdicts there is one per fenceGapMs in the whole cluster: a saturated machine looks like dead peers,
// and each takeover makes it more so.
//
// Silence is counted from the last heartbeat or pulse, or from when this observer was last late itself: what it did not
// hear then says nothing. It must be seen by two punctual ticks in a row, since sockets are read between them.
// A peer that was never heard is not silent but new. A witness must be heard by heartbeats: those come the way on which it
// would take its suspicion back. Pulses say that a process lives, not that its main thread has read anything.

export interface DetectorTimes {
  /** How often peers send heartbeats, and pulses. */
  readonly heartbeatMs: number;
  /** So many in a row that are missed, of both, before a peer is silent. */
  readonly missedHeartbeats: number;
  /** How often `tick` comes; one after more than twice that was late. */
  readonly tickMs: number;
  /** Between soft verdicts, and after any fence; what we gave up has as long to come back. */
  readonly fenceGapMs: number;
  readonly strandedMs: number;
  readonly steadyMs: number;
  /** Suspicions and verdicts are told again after this while they last. */
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
  /** It left, or its sessions are fenced. Not to be looked at any more. */
  | { readonly type: 'gone'; readonly run: string }
  | { readonly type: 'link-up'; readonly run: string }
  /** By the other end or the system. */
  | { readonly type: 'link-closed'; readonly run: string }
  /** By us: it was silent for too long, read too slowly, or broke the rules. It may be alive, and come back at once. */
  | { readonly type: 'link-given-up'; readonly run: string }
  /** A dial after the end of its link was refused (ECONNREFUSED); not: timed out. */
  | { readonly type: 'refused'; readonly run: string }
  | { readonly type: 'heartbeat'; readonly run: string }
  /** A sign of life of a thread of its own. */
  | { readonly type: 'pulse'; readonly run: string }
  /**
   * `expired`: it was there, or should be by now. `unknown`: Redis is away, or back for so short a time that leases
   * need not be written again yet, or the run is so new that it need not have one.
   */
  | { readonly type: 'lease'; readonly run: string; readonly lease: Lease }
  /** What the observer `by` told: it suspects this run, or does so no longer. */
  | { readonly type: 'suspicion'; readonly run: string; readonly by: string; readonly suspects: boolean }
  /** What it says of itself. */
  | { readonly type: 'database'; readonly run: string; readonly reached: boolean }
  /** Whether this node reaches the database. */
  | { readonly type: 'own-database'; readonly reached: boolean }
  /** Some node fenced this run. */
  | { readonly type: 'fenced'; readonly run: string };

export type Lease = 'seen' | 'expired' | 'unknown';
export type Evidence = 'refused' | 'lease' | 'observers' | 'database';

export type DetectorEffect =
  /** For all peers. */
  | { readonly type: 'suspect'; readonly run: string }
  | { readonly type: 'unsuspect'; readonly run: string }
  /** Fence it and take over. */
  | { readonly type: 'dead'; readonly run: string; readonly evidence: Evidence; readonly hard: boolean };

interface Peer {
  link: 'new' | 'up' | 'closed' | 'given-up';
  /** When we gave its link up last. */
  givenUpMs: number;
  refused: boolean;
  lease: Lease;
  /** Of the last heartbeat or pulse; undefined: none yet. */
  heardMs: number | undefined;
  /** Of the last heartbeat. */
  beatenMs: number | undefined;
  /** Punctual ticks in a row that found it silent. */
  silentTicks: number;
  suspected: boolean;
  /** When the suspicion was told last. */
  toldMs: number;
  /** Other observers that suspect it. */
  readonly reports: Set<string>;
  verdictMs: number | undefined;
  /** Since when it has said that it does not reach the database. */
  strandedSinceMs: number | undefined;
}

const SILENT_TICKS = 2;

export class Detector {
  private readonly times: DetectorTimes;
  private readonly peers = new Map<string, Peer>();
  private lastTickMs: number | undefined;
  /** Before this nothing that was missed counts. */
  private attentiveSinceMs = Number.NEGATIVE_INFINITY;
  private softNotBeforeMs = Number.NEGATIVE_INFINITY;
  /** Since when this node has reached the database; undefined: it does not. */
  private databaseSinceMs: number | undefined;

  constructor(times: DetectorTimes = DETECTOR_TIMES) {
    this.times = times;
  }

  /** `nowMs` never goes back. Events of runs that are not known are dropped, `fenced` excepted. */
  step(event: DetectorEvent, nowMs: number): readonly DetectorEffect[] {
    switch (event.type) {
      case 'tick':
        return this.tick(nowMs);
      case 'known':
        if (!this.peers.has(event.run)) this.peers.set(event.run, newPeer());
        return [];
      case 'fenced':
        this.softNotBeforeMs = nowMs + this.times.fenceGapMs;
        return this.forget(event.run);
      case 'gone':
        return this.forget(event.run);
      case 'own-database':
        this.databaseSinceMs = event.reached ? (this.databaseSinceMs ?? nowMs) : undefined;
        return [];
      default: {
        const peer = this.peers.get(event.run);
        return peer === undefined ? [] : this.observe(peer, event, nowMs);
      }
    }
  }

  private observe(
    peer: Peer,
    event: Exclude<DetectorEvent, { type: 'tick' | 'known' | 'gone' | 'fenced' | 'own-database' }>,
    nowMs: number,
  ): readonly DetectorEffect[] {
    switch (event.type) {
      case 'link-up':
        // Of a link that this one takes the place of no end is told.
        this.dropToldBy(event.run, peer);
        peer.link = 'up';
        peer.refused = false;
        return [];
      case 'link-closed':
        peer.link = 'closed';
        this.dropToldBy(event.run, peer);
        return [];
      case 'link-given-up':
        peer.link = 'given-up';
        peer.givenUpMs = nowMs;
        this.dropToldBy(event.run, peer);
        return [];
      case 'database':
        peer.strandedSinceMs = event.reached ? undefined : (peer.strandedSinceMs ?? nowMs);
        return [];
      case 'refused':
        // One that was never linked may be about to listen.
        if (peer.link !== 'closed' && peer.link !== 'given-up') return [];
        peer.refused = true;
        return this.judge(event.run, peer, nowMs);
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
        return this.judge(event.run, peer, nowMs);
      case 'suspicion':
        if (!event.suspects) peer.reports.delete(event.by);
        else if (this.peers.has(event.by) && event.by !== event.run) peer.reports.add(event.by);
        return this.judge(event.run, peer, nowMs);
      default:
        return impossible(event);
    }
  }

  private tick(nowMs: number): readonly DetectorEffect[] {
    const late = this.lastTickMs !== undefined && nowMs - this.lastTickMs > 2 * this.times.tickMs;
    if (late || this.lastTickMs === undefined) this.attentiveSinceMs = nowMs;
    this.lastTickMs = nowMs;
    const effects: DetectorEffect[] = [];
    // All are looked at before one is judged: who hears nobody must not take itself for a witness.
    for (const [run, peer] of this.peers) {
      peer.silentTicks = this.isSilent(peer, nowMs) ? peer.silentTicks + 1 : 0;
      if (!peer.suspected && peer.silentTicks < SILENT_TICKS) continue;
      if (peer.suspected && nowMs - peer.toldMs < this.times.repeatMs) continue;
      peer.suspected = true;
      peer.toldMs = nowMs;
      effects.push({ type: 'suspect', run });
    }
    for (const [run, peer] of this.peers) effects.push(...this.judge(run, peer, nowMs));
    return effects;
  }

  private isSilent(peer: Peer, nowMs: number): boolean {
    return peer.heardMs !== undefined && this.isOverdue(peer.heardMs, nowMs);
  }

  private isOverdue(lastMs: number, nowMs: number): boolean {
    const sinceMs = Math.max(lastMs, this.attentiveSinceMs);
    return nowMs - sinceMs >= this.times.missedHeartbeats * this.times.heartbeatMs;
  }

  private judge(run: string, peer: Peer, nowMs: number): readonly DetectorEffect[] {
    const found = this.evidence(run, peer, nowMs);
    if (found === undefined) return [];
    if (peer.verdictMs !== undefined && nowMs - peer.verdictMs < this.times.repeatMs) return [];
    if (!found.hard) {
      if (nowMs < this.softNotBeforeMs) return [];
      this.softNotBeforeMs = nowMs + this.times.fenceGapMs;
    }
    peer.verdictMs = nowMs;
    return [{ type: 'dead', run, ...found }];
  }

  private evidence(
    run: string,
    peer: Peer,
    nowMs: number,
  ): { evidence: Evidence; hard: boolean } | undefined {
    if (peer.refused) return { evidence: 'refused', hard: true };
    // Suspected before a pause of our own: that must be seen anew.
    const silent = peer.silentTicks >= SILENT_TICKS && this.isPunctual(nowMs);
    if (peer.lease === 'expired') {
      const absent = peer.heardMs === undefined && peer.link !== 'up' && this.isAttentive(nowMs);
      const hard =
        peer.link === 'closed' ||
        peer.link === 'new' ||
        (peer.link === 'given-up' && nowMs - peer.givenUpMs >= this.times.fenceGapMs);
      if (silent || absent) return { evidence: 'lease', hard };
    }
    if (silent && this.isWitnessed(run, peer, nowMs)) return { evidence: 'observers', hard: false };
    return this.isStranded(peer, nowMs) ? { evidence: 'database', hard: false } : undefined;
  }

  private isStranded({ strandedSinceMs }: Peer, nowMs: number): boolean {
    const { databaseSinceMs, times } = this;
    if (strandedSinceMs === undefined || databaseSinceMs === undefined) return false;
    return nowMs - strandedSinceMs >= times.strandedMs && nowMs - databaseSinceMs >= times.steadyMs;
  }

  /** This node hears another one, and one that it hears suspects the peer too. */
  private isWitnessed(run: string, peer: Peer, nowMs: number): boolean {
    for (const [other, state] of this.peers)
      if (other !== run && peer.reports.has(other) && this.isCredible(state, nowMs)) return true;
    return false;
  }

  private isCredible({ beatenMs, suspected, silentTicks }: Peer, nowMs: number): boolean {
    return beatenMs !== undefined && !this.isOverdue(beatenMs, nowMs) && !suspected && silentTicks === 0;
  }

  /** Between ticks: an event that comes late comes before the tick that would say so. */
  private isPunctual(nowMs: number): boolean {
    return this.lastTickMs !== undefined && nowMs - this.lastTickMs <= 2 * this.times.tickMs;
  }

  private isAttentive(nowMs: number): boolean {
    return (
      this.isPunctual(nowMs) &&
      nowMs - this.attentiveSinceMs >= this.times.missedHeartbeats * this.times.heartbeatMs
    );
  }

  private forget(run: string): readonly DetectorEffect[] {
    const peer = this.peers.get(run);
    this.peers.delete(run);
    this.dropReportsBy(run);
    return peer?.suspected ? [{ type: 'unsuspect', run }] : [];
  }

  /** With its link: it may be taken back unheard. What still holds it tells again. */
  private dropToldBy(run: string, peer: Peer): void {
    this.dropReportsBy(run);
    peer.strandedSinceMs = undefined;
  }

  private dropReportsBy(run: string): void {
    for (const peer of this.peers.values()) peer.reports.delete(run);
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
