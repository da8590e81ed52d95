// The documents of one worker: brings messages of its links to their actors, gives shards away, and ends with
// all taken patches committed. The parts of this folder do the rest. The host runs in one thread and owns no
// sockets; links, store, clock and compute come from outside.
//
// The file has over 400 lines, because it puts all parts of this folder together.
import type { Clock } from '../clock.ts';
import { type CommitLimits, Committer } from '../commit/committer.ts';
import type { Folded, FoldRequest } from '../compute/fold.ts';
import type { RunSnapshotJob } from '../compute/snapshot-job.ts';
import type { ActorLimits, DocumentActor } from '../document/actor.ts';
import type { DocumentEffects, Rooms } from '../document/effects.ts';
import { AGAIN } from '../link/calls.ts';
import type { LinkOptions, Transport } from '../link/link.ts';
import { ANSWER, CALL, NOT_OWNER, OPEN, SUBMIT, type ToOwner } from '../link/link-messages.ts';
import type { Progress } from '../liveness/progress.ts';
import { StillLive } from '../liveness/still-live.ts';
import { type LoadLimits, LoadQueue } from '../loading/load-queue.ts';
import { Loader } from '../loading/loader.ts';
import { Reservations } from '../loading/reservations.ts';
import { SeqSearches } from '../loading/seq-search.ts';
import { METRICS } from '../metrics/metrics.ts';
import { ThreadCounts } from '../metrics/thread-counts.ts';
import { OwnedShards } from '../owned-shards.ts';
import {
  type CountedFailure,
  MOST_TOLD_MS,
  QUARANTINED,
  Quarantine,
  type Quarantined,
  type QuarantineLimits,
} from '../quarantine.ts';
import type { Epoch, OpenedSession, SessionId, WorkerStore } from '../storage/store.ts';
import type { MailboxLimits } from '../turns/mailbox.ts';
import { actorEffects, waitingRooms } from './actor-effects.ts';
import { DocumentWork } from './document-work.ts';
import { type GatewayLink, GatewayLinks } from './gateway-links.ts';
import { type InMemory, Passivation, type PassivationLimits } from './passivation.ts';
import { PresenceTicks } from './presence-ticks.ts';
import { answerRefused } from './refusals.ts';
import { Residents } from './residents.ts';
import { SideJobs } from './side-jobs.ts';

export interface HostLimits extends PassivationLimits {
  readonly actor: ActorLimits;
  readonly commit: CommitLimits;
  readonly link: LinkOptions;
  /** Bytes of history that is read for submits and readers, for all documents together. */
  readonly historyMemoryBytes: number;
  /** Messages that wait for documents that are being loaded, for all documents together. */
  readonly loadsWaiting: MailboxLimits;
  readonly quarantine: QuarantineLimits;
}

export interface HostOptions {
  readonly store: WorkerStore;
  readonly session: OpenedSession;
  readonly loads: LoadLimits;
  readonly limits: HostLimits;
  readonly progress: Progress;
  readonly clock: Clock;
  /** The counts of this thread. */
  readonly counts?: ThreadCounts;
  /** As in `TurnsOptions`. The default is the clock. */
  readonly spentMs?: () => number;
  /**
   * False if this session's ownership has not been confirmed lately. Then the host answers nothing: a
   * process that was stopped for long might serve old data when it wakes.
   */
  readonly confirmed: () => boolean;
  /** Folds on another thread. Resolves to the bytes of the snapshot, or to undefined if none was made. */
  readonly fold: (request: FoldRequest) => Promise<Folded | undefined>;
  /** Works on a large snapshot on another thread. */
  readonly snapshotJob: RunSnapshotJob;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  /**
   * The handling of this document has thrown. Other workers count the failure too, since they may get the
   * document.
   */
  readonly onFailed: (doc: string) => void;
  /** The session is over. This incarnation must end, and another one starts over. */
  readonly onLost: (reason: 'fenced' | 'gap') => void;
}

const SWEEP_MS = 1000;
/** Most readers and submits that wait for memory in which to read history. */
const HISTORY_WAITING = 10_000;
/** Longest wait for the snapshots of a worker that stops. */
const LAST_FOLDS_MS = 3000;

export class Host {
  readonly #options: HostOptions;
  readonly #links: GatewayLinks;
  readonly #residents: Residents;
  readonly #work: DocumentWork;
  readonly #sideJobs: SideJobs;
  readonly #passivation: Passivation;
  readonly #committer: Committer;
  readonly #loads: LoadQueue;
  readonly #live: StillLive<DocumentActor>;
  readonly #presence: PresenceTicks<DocumentActor>;
  readonly #quarantined: Quarantine;
  readonly #counts: ThreadCounts;
  readonly #shards = new OwnedShards();
  readonly #rooms: Rooms;
  readonly #effectsOf: (actor: DocumentActor) => DocumentEffects;
  readonly #stopSweeping: () => void;
  #stopping = false;
  #isLost = false;

  constructor(options: HostOptions) {
    this.#options = options;
    const shards = this.#shards;
    const { store, session, clock, limits, progress, confirmed, log } = options;
    const quarantine = new Quarantine(limits.quarantine);
    const counts = options.counts ?? new ThreadCounts();
    const committer = new Committer(store, limits.commit, clock, (reason) => this.#lost(reason), counts);
    const live = new StillLive<DocumentActor>({
      store,
      clock,
      onFenced: () => this.#lost('fenced'),
      onError: (error) => log('error', 'a read failed', { error: String(error) }),
    });
    const history = new Reservations<DocumentActor>(limits.historyMemoryBytes, HISTORY_WAITING);
    const presence = new PresenceTicks<DocumentActor>(clock, (actor) =>
      work.answered(actor, () => actor.flushPresence()),
    );
    const links = new GatewayLinks({
      link: limits.link,
      clock,
      onMessages: (from, messages) => {
        if (confirmed()) this.#receiveAll(from, messages);
        else this.#turnAway(from, messages);
        progress.clear();
      },
      onSlow: (link) => {
        counts.count(METRICS.slowLinks);
        log('warn', 'a gateway is too slow: its documents are opened again', { link });
      },
      onBroken: (link, error) =>
        log('error', 'the link of a gateway is broken: it ends', { link, error: error.message }),
    });
    const appends = {
      forget: ({ id }: DocumentActor): void => {
        if (id !== undefined) committer.forget(id);
      },
    };
    const countFailure = (doc: string): CountedFailure => {
      counts.count(METRICS.documentFailures);
      const { times, putOut } = quarantine.failed(doc, clock.now());
      options.onFailed(doc);
      return { times, quarantinedForMs: putOut?.forMs };
    };
    const residents = new Residents(limits.actor, [appends, live, history, presence, links]);
    const isCurrent = (actor: DocumentActor): boolean => residents.isCurrent(actor);
    const work = new DocumentWork({
      ...options,
      residents,
      links,
      shards,
      live,
      committer,
      countFailure,
      spentMs: options.spentMs ?? clock.now,
    });
    const answered = (actor: DocumentActor, act: () => void): void => work.answered(actor, act);
    const sideJobs = new SideJobs({ ...options, counts, shards, isCurrent, answered });
    const loader = new Loader({
      store,
      committer,
      historyTag: session.historyTag,
      limits: limits.actor,
      progress,
      clock,
      serves: (doc) => shards.serves(doc),
      isCurrent,
      failed: countFailure,
      log,
    });
    const loads = new LoadQueue(loader.load, options.loads);
    const seqs = new SeqSearches((doc, client, upTo) => store.seqPage(doc, client, upTo));
    this.#counts = counts;
    this.#quarantined = quarantine;
    this.#committer = committer;
    this.#live = live;
    this.#presence = presence;
    this.#links = links;
    this.#residents = residents;
    this.#work = work;
    this.#sideJobs = sideJobs;
    this.#loads = loads;
    this.#passivation = new Passivation({ limits, residents, work, clock, onPause: () => progress.clear() });
    const rooms = waitingRooms(limits);
    this.#rooms = rooms;
    this.#effectsOf = actorEffects({
      store,
      links,
      committer,
      shards,
      work,
      loads,
      history,
      seqs,
      live,
      sideJobs,
      presence,
      clock,
      counts,
      log,
      rooms,
    });
    this.#stopSweeping = clock.every(SWEEP_MS, () => this.#sweep());
  }

  addLink(id: number, transport: Transport): void {
    this.#links.add(id, transport);
  }

  removeLink(id: number): void {
    this.#links.remove(id);
  }

  /** Takes a document out of service for a time. */
  quarantine(quarantined: Quarantined): void {
    this.#quarantined.adopt(quarantined, this.#options.clock.now());
    const actor = this.#residents.get(quarantined.doc);
    if (actor === undefined) return;
    actor.reset();
    this.#residents.forget(actor);
  }

  /** Puts a document back into service and forgets its failures. */
  releaseQuarantined(doc: string): void {
    this.#quarantined.release(doc, this.#options.clock.now());
  }

  /** Notes that this session owns these shards, by a claim or by a hand-off. */
  own(epochs: ReadonlyMap<number, Epoch>): void {
    this.#shards.own(epochs);
  }

  get ownedShards(): number {
    return this.#shards.size;
  }

  /**
   * Gives shards to another session. It takes no more messages for their documents, lets the taken patches
   * commit, and then hands the shards over. Resolves to the shards that moved; the others are served again.
   * Gateways are told in both cases, since the messages that they sent meanwhile were not taken.
   */
  async release(shards: readonly number[], to: SessionId): Promise<ReadonlyMap<number, Epoch>> {
    const leaving = this.#shards.beginLeaving(shards);
    const ids = new Set<number>();
    const actors = [...this.#residents.all()].filter((actor) => this.#shards.isLeaving(actor.name));
    for (const { id } of actors) if (id !== undefined) ids.add(id);
    let moved: ReadonlyMap<number, Epoch> = new Map();
    try {
      await this.#committer.settle(ids);
      moved = await this.#options.store.handOff(leaving, to);
    } finally {
      const strays = this.#shards.endLeaving(leaving, moved);
      this.#residents.moveAway(actors);
      for (const { link, channelId } of strays) this.#links.send(link, [NOT_OWNER, channelId]);
      this.#links.flush();
    }
    return moved;
  }

  /** Commits all taken patches, then ends. No message is taken after the call. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const actor of this.#residents.all()) actor.refuseWaiting('this worker is stopping');
    await this.#committer.drain();
    // Documents whose log is worth a snapshot open faster next time with one.
    for (const actor of this.#residents.all()) actor.foldWhenIdle();
    await this.#sideJobs.foldsEnded(LAST_FOLDS_MS);
    for (const actor of this.#residents.all()) actor.drop();
    this.dispose();
  }

  dispose(): void {
    this.#stopSweeping();
    this.#work.dispose();
    this.#live.dispose();
    this.#loads.clear();
    this.#presence.stop();
    this.#links.flush();
  }

  #lost(reason: 'fenced' | 'gap'): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#stopping = true;
    this.#work.end();
    this.#sideJobs.end();
    this.#live.dispose();
    this.#options.onLost(reason);
  }

  #receiveAll(from: GatewayLink, messages: readonly ToOwner[]): void {
    const now = this.#options.clock.now();
    const work = this.#work;
    const links = this.#links;
    work.begin();
    for (const message of messages) {
      const actor = this.#addressed(from, message);
      if (actor === undefined) continue;
      actor.lastUsed = now;
      if (actor.isResident && (work.isBusy || actor.hasWork)) actor.postpone(from.id, message);
      else work.doNow(actor, () => actor.handle(from.id, message));
      links.releaseChannels(actor);
    }
  }

  /**
   * The document for which the message is meant. Undefined if the message has been answered or needs no
   * answer.
   */
  #addressed(from: GatewayLink, message: ToOwner): DocumentActor | undefined {
    if (this.#stopping) {
      if (message[0] === CALL) from.link.send([ANSWER, message[1], AGAIN, null]);
      else this.#refuse(from, message, 'unavailable', 'this worker is stopping');
      return undefined;
    }
    if (message[0] === CALL) return this.#called(from, message);
    const known = from.channels.get(message[1]);
    if (known !== undefined) {
      const isLeaving = this.#shards.someLeave && this.#shards.isLeaving(known.name);
      return isLeaving ? undefined : known;
    }
    if (message[0] !== OPEN) {
      if (message[0] === SUBMIT) this.#refuse(from, message, 'not-open', 'this document is not open');
      return undefined;
    }
    const name = message[3].doc;
    if (!this.#shards.serves(name)) {
      if (this.#shards.isLeaving(name)) this.#shards.strayed(name, from.id, message[1]);
      else from.link.send([NOT_OWNER, message[1]]);
      return undefined;
    }
    const outMs = this.#quarantined.leftMs(name, this.#options.clock.now());
    if (outMs > 0) {
      this.#refuse(from, message, 'unavailable', QUARANTINED, Math.min(outMs, MOST_TOLD_MS));
      return undefined;
    }
    const actor = this.#residents.getOrMake(name, this.#effectsOf);
    this.#links.open(from, message[1], actor);
    return actor;
  }

  /** The document of a call. Undefined if the call has been answered. */
  #called(from: GatewayLink, message: ToOwner & [typeof CALL, ...unknown[]]): DocumentActor | undefined {
    const [, callId, doc] = message;
    if (!this.#shards.serves(doc)) {
      from.link.send([ANSWER, callId, AGAIN, null]);
      return undefined;
    }
    const outMs = this.#quarantined.leftMs(doc, this.#options.clock.now());
    if (outMs > 0) {
      this.#refuse(from, message, 'unavailable', QUARANTINED, outMs);
      return undefined;
    }
    return this.#residents.getOrMake(doc, this.#effectsOf);
  }

  #refuse(
    { link }: GatewayLink,
    message: ToOwner,
    code: 'unavailable' | 'not-open',
    text: string,
    retryAfterMs = 0,
  ): void {
    const answer = answerRefused(message, code, text, retryAfterMs);
    if (answer !== undefined) link.send(answer);
  }

  /** This session's ownership is not confirmed. Gateways look for the owner again. */
  #turnAway({ link }: GatewayLink, messages: readonly ToOwner[]): void {
    this.#residents.moveAway(this.#residents.all());
    const calls = messages.filter((message) => message[0] === CALL);
    for (const [, callId] of calls) link.send([ANSWER, callId, AGAIN, null]);
    const others = messages.filter((message) => message[0] !== CALL);
    for (const channelId of new Set(others.map((message) => message[1]))) link.send([NOT_OWNER, channelId]);
  }

  #sweep(): void {
    if (this.#options.confirmed()) {
      this.#links.sweep();
      this.#tell(this.#passivation.sweep());
      return;
    }
    this.#residents.moveAway(this.#residents.all());
    this.#tell({ actors: 0, resident: 0, bytes: 0 });
  }

  /** Tells the gauges of this thread. */
  #tell({ actors, resident, bytes }: InMemory): void {
    const { loads, turns } = this.#rooms;
    const counts = this.#counts;
    counts.set(METRICS.mailboxes, actors);
    counts.set(METRICS.documentsResident, resident);
    counts.set(METRICS.documentBytes, bytes);
    counts.set(METRICS.commitWaitingBytes, this.#committer.waitingBytes);
    counts.setAs(METRICS.mailboxMessages, 'load', loads.waiting.messages);
    counts.setAs(METRICS.mailboxMessages, 'turn', turns.waiting.messages);
    counts.setAs(METRICS.mailboxBytes, 'load', loads.waiting.bytes);
    counts.setAs(METRICS.mailboxBytes, 'turn', turns.waiting.bytes);
  }
}
