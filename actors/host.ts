// The documents of one worker. The host brings messages of its links to actors, their patches to the
// committer and their requests to the store, and passivates idle documents. It runs in one thread and owns
// no sockets; links, store, clock and compute come from outside. It has over 400 lines because it provides
// all effects of an actor: messages in, answers out, folding, passivation.
import type { Clock } from './clock.ts';
import { type CommitLimits, type CommitListener, Committer } from './committer.ts';
import type { FoldRequest } from './compute/fold.ts';
import {
  type ActorEffects,
  type ActorLimits,
  DocumentActor,
  isFinal,
  type LoadResult,
} from './document/actor.ts';
import type { MadeSnapshot } from './document/effects.ts';
import { Link, type LinkOptions, type Transport } from './link/link.ts';
import {
  FORGET,
  NOT_OWNER,
  OPEN,
  OPEN_FAILED,
  REFUSED,
  RESET,
  SNAPSHOT,
  SUBMIT,
  type ToGateway,
  type ToOwner,
} from './link/link-messages.ts';
import { SnapshotSender } from './link/snapshot-sender.ts';
import type { Progress } from './liveness/progress.ts';
import { StillLive } from './liveness/still-live.ts';
import { type LoadLimits, LoadQueue } from './loading/load-queue.ts';
import { Loader } from './loading/loader.ts';
import { Reservations } from './loading/reservations.ts';
import { SeqSearches } from './loading/seq-search.ts';
import { OwnedShards } from './owned-shards.ts';
import { QUARANTINED, Quarantine, type Quarantined, type QuarantineLimits } from './quarantine.ts';
import type { Epoch, OpenedSession, SessionId, WorkerStore } from './storage/store.ts';
import { StoreUnavailable } from './storage/store.ts';
import { type MailboxLimits, WaitingRoom } from './turns/mailbox.ts';
import { Turns } from './turns/turns.ts';

export interface HostLimits {
  readonly actor: ActorLimits;
  readonly commit: CommitLimits;
  readonly link: LinkOptions;
  /** Bytes of history that is read for submits and readers, for all documents together. */
  readonly historyMemoryBytes: number;
  /** Messages that wait for documents that are being loaded, for all documents together. */
  readonly loadsWaiting: MailboxLimits;
  /**
   * Approximate bytes of all documents in memory. Beyond it, quiet documents are unloaded, the least
   * recently used first.
   */
  readonly memoryBytes: number;
  /** A document without subscribers is unloaded after this long. */
  readonly idleMs: number;
  readonly quarantine: QuarantineLimits;
}

export interface HostOptions {
  readonly store: WorkerStore;
  readonly session: OpenedSession;
  readonly loads: LoadLimits;
  readonly limits: HostLimits;
  readonly progress: Progress;
  readonly clock: Clock;
  /** As in `TurnsOptions`. The default is the clock. */
  readonly spentMs?: () => number;
  /**
   * False if this session's ownership has not been confirmed lately. Then the host answers nothing: a
   * process that was stopped for long might serve old data when it wakes.
   */
  readonly confirmed: () => boolean;
  /** Folds on another thread. Resolves to the bytes of the snapshot, or to undefined if none was made. */
  readonly fold: (request: FoldRequest) => Promise<number | undefined>;
  /**
   * Merges many Yjs updates into one on another thread. `updates` are oldest first, and the caller gives
   * them away.
   */
  readonly merge: Merge;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  /**
   * The handling of this document has thrown. Other workers count the failure too, since they may get the
   * document.
   */
  readonly onFailed: (doc: string) => void;
  /** The session is over. This incarnation must end, and another one starts over. */
  readonly onLost: (reason: 'fenced' | 'gap') => void;
}

export type Merge = (updates: readonly Uint8Array<ArrayBuffer>[]) => Promise<Uint8Array<ArrayBuffer>>;

/** Number of the link to the node's own gateway. Peers get later numbers. */
export const LOCAL_LINK = 0;

const SWEEP_MS = 1000;
/**
 * A document below this share of the memory stays loaded while such small documents take less than half of
 * the memory.
 */
const SMALL_SHARE = 1 / 1024;
/** Presence of one document is gathered for this long. */
const PRESENCE_TICK_MS = 25;
/** Most readers and submits that wait for memory in which to read history. */
const HISTORY_WAITING = 10_000;
/**
 * Messages that wait for a turn take at most this share of a link's window, so that other documents'
 * messages get through.
 */
const POSTPONED_SHARE = 1 / 2;
/** Longest wait for the snapshots of a worker that stops. */
const LAST_FOLDS_MS = 3000;

export class Host {
  private readonly options: HostOptions;
  private readonly committer: Committer;
  private readonly loads: LoadQueue;
  private readonly live: StillLive<DocumentActor>;
  private readonly seqs: SeqSearches;
  private readonly turns: Turns<DocumentActor>;
  private readonly history: Reservations<DocumentActor>;
  private readonly actors = new Map<string, DocumentActor>();
  private readonly links = new Map<
    number,
    {
      link: Link<ToGateway, ToOwner>;
      channels: Map<number, DocumentActor>;
      snapshots: SnapshotSender;
    }
  >();
  private readonly quarantined: Quarantine;
  private readonly dirtyPresence = new Set<DocumentActor>();
  private readonly effects: ActorEffects;
  private readonly shards = new OwnedShards();
  private readonly stopSweeping: () => void;
  private stopPresence: (() => void) | undefined;
  private readonly folds = new Set<Promise<void>>();
  /** One merge runs at a time, because each merge works on a copy of its updates. */
  private merging = Promise.resolve();
  private stopping = false;
  private isLost = false;

  constructor(options: HostOptions) {
    this.options = options;
    const { store, clock, limits } = options;
    this.quarantined = new Quarantine(limits.quarantine);
    this.committer = new Committer(store, limits.commit, clock, (reason) => this.lost(reason));
    this.live = new StillLive({
      store,
      clock,
      onFenced: () => this.lost('fenced'),
      onError: (error) => options.log('error', 'a read failed', { error: String(error) }),
    });
    this.seqs = new SeqSearches((doc, client, upTo) => store.seqPage(doc, client, upTo));
    this.loads = new LoadQueue(this.makeLoader().load, options.loads);
    this.history = new Reservations(limits.historyMemoryBytes, HISTORY_WAITING);
    this.turns = new Turns({
      clock,
      spentMs: options.spentMs ?? clock.now,
      take: (actor) => this.takeTurn(actor),
      onPause: () => options.progress.clear(),
    });
    this.effects = this.makeEffects();
    this.stopSweeping = options.clock.every(SWEEP_MS, () => this.sweep());
  }

  addLink(id: number, transport: Transport): void {
    const channels = new Map<number, DocumentActor>();
    const link = new Link<ToGateway, ToOwner>(
      transport,
      this.options.limits.link,
      (messages) => {
        if (this.options.confirmed()) this.receiveAll(id, channels, messages);
        else this.turnAway(link, messages);
        this.options.progress.clear();
      },
      this.options.clock,
      () => this.overflowed(id),
    );
    const { clock, limits } = this.options;
    const snapshots = new SnapshotSender({ link, windowBytes: limits.link.windowBytes, clock });
    link.onCredit = () => snapshots.credited();
    this.links.set(id, { link, channels, snapshots });
  }

  /**
   * The gateway has fallen far behind. Its documents are opened again with `since`, at the pace that it can
   * take.
   */
  private overflowed(id: number): void {
    const found = this.links.get(id);
    if (found === undefined) return;
    this.options.log('warn', 'a gateway is too slow: its documents are opened again', { link: id });
    if (id !== LOCAL_LINK) {
      this.removeLink(id);
      return;
    }
    const { link, channels, snapshots } = found;
    const actors = new Set(channels.values());
    const reset = new Set(channels.keys());
    channels.clear();
    for (const actor of actors) {
      actor.linkLost(id);
      this.releaseChannels(actor);
    }
    // Refusals are dropped too. They are answers on channels that may have been released since.
    for (const [tag, chan] of link.dropQueue()) if (tag !== SNAPSHOT && tag !== FORGET) reset.add(chan);
    for (const chan of reset) link.send([RESET, chan]);
    snapshots.restart();
  }

  removeLink(id: number): void {
    const found = this.links.get(id);
    if (found === undefined) return;
    this.links.delete(id);
    found.link.close();
    for (const actor of new Set(found.channels.values())) actor.linkLost(id);
    found.snapshots.dispose();
  }

  /** Takes a document out of service for a time. */
  quarantine(quarantined: Quarantined): void {
    this.quarantined.adopt(quarantined, this.options.clock.now());
    const actor = this.actors.get(quarantined.doc);
    if (actor === undefined) return;
    actor.reset();
    this.forget(actor);
  }

  /** Puts a document back into service and forgets its failures. */
  releaseQuarantined(doc: string): void {
    this.quarantined.release(doc, this.options.clock.now());
  }

  /** Notes that this session owns these shards, by a claim or by a hand-off. */
  own(epochs: ReadonlyMap<number, Epoch>): void {
    this.shards.own(epochs);
  }

  get ownedShards(): number {
    return this.shards.size;
  }

  /**
   * Gives shards to another session. It takes no more messages for their documents, lets the taken patches
   * commit, and then hands the shards over. Resolves to the shards that moved; the others are served again.
   * Gateways are told in both cases, since the messages that they sent meanwhile were not taken.
   */
  async release(shards: readonly number[], to: SessionId): Promise<ReadonlyMap<number, Epoch>> {
    const leaving = this.shards.beginLeaving(shards);
    const ids = new Set<number>();
    const actors = [...this.actors.values()].filter((actor) => this.shards.isLeaving(actor.name));
    for (const { id } of actors) if (id !== undefined) ids.add(id);
    let moved: ReadonlyMap<number, Epoch> = new Map();
    try {
      await this.committer.settle(ids);
      moved = await this.options.store.handOff(leaving, to);
    } finally {
      const strays = this.shards.endLeaving(leaving, moved);
      for (const actor of actors) {
        actor.reset(true);
        this.forget(actor);
      }
      for (const { link, chan } of strays) this.links.get(link)?.link.send([NOT_OWNER, chan]);
      for (const { link } of this.links.values()) link.flush();
    }
    return moved;
  }

  /** Commits all taken patches, then ends. No message is taken after the call. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const actor of this.actors.values()) actor.refuseWaiting('this worker is stopping');
    await this.committer.drain();
    await this.foldAll();
    for (const actor of this.actors.values()) actor.drop();
    this.dispose();
  }

  /**
   * Makes snapshots of documents whose log is worth one, as many as LAST_FOLDS_MS allows. Such documents
   * open faster next time.
   */
  private async foldAll(): Promise<void> {
    for (const actor of this.actors.values()) actor.foldWhenIdle();
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.options.clock.after(LAST_FOLDS_MS, resolve);
    });
    await Promise.race([Promise.all(this.folds), late]);
    cancel();
  }

  dispose(): void {
    this.stopSweeping();
    this.turns.dispose();
    this.live.dispose();
    this.loads.clear();
    this.stopPresence?.();
    for (const { link } of this.links.values()) link.flush();
  }

  private lost(reason: 'fenced' | 'gap'): void {
    if (this.isLost) return;
    this.isLost = true;
    this.stopping = true;
    this.live.dispose();
    this.options.onLost(reason);
  }

  private receiveAll(id: number, channels: Map<number, DocumentActor>, messages: readonly ToOwner[]): void {
    const now = this.options.clock.now();
    const { turns } = this;
    turns.begin();
    for (const message of messages) {
      const actor = this.addressed(id, channels, message);
      if (actor === undefined) continue;
      actor.lastUsed = now;
      if (actor.isResident && (turns.isBusy || actor.hasWork)) {
        actor.postpone(id, message);
      } else {
        this.guard(actor, () => actor.handle(id, message));
        turns.charge(actor);
      }
      this.releaseChannels(actor);
    }
  }

  /**
   * The document for which the message is meant. Undefined if the message has been answered or needs no
   * answer.
   */
  private addressed(
    id: number,
    channels: Map<number, DocumentActor>,
    message: ToOwner,
  ): DocumentActor | undefined {
    if (this.stopping) {
      this.refuse(id, message, 'unavailable', 'this worker is stopping');
      return undefined;
    }
    let actor = channels.get(message[1]);
    if (actor !== undefined && this.shards.someLeave && this.shards.isLeaving(actor.name)) return undefined;
    if (actor === undefined) {
      if (message[0] !== OPEN) {
        if (message[0] === SUBMIT) this.refuse(id, message, 'not-open', 'this document is not open');
        return undefined;
      }
      const name = message[3].doc;
      if (!this.shards.serves(name)) {
        if (this.shards.isLeaving(name)) this.shards.strayed(name, id, message[1]);
        else this.links.get(id)?.link.send([NOT_OWNER, message[1]]);
        return undefined;
      }
      const outMs = this.quarantined.leftMs(name, this.options.clock.now());
      if (outMs > 0) {
        this.refuse(id, message, 'unavailable', QUARANTINED, outMs);
        return undefined;
      }
      actor = this.actor(name);
      channels.set(message[1], actor);
      actor.channels.push({ link: id, chan: message[1] });
    }
    return actor;
  }

  /** Forgets the channels over which no socket has the document open. */
  private releaseChannels(actor: DocumentActor): void {
    for (const { link, chan } of actor.releaseChannels()) this.links.get(link)?.channels.delete(chan);
  }

  /** Handles an answer of the store for one document in its turn. A failure counts as this document's. */
  private answered(actor: DocumentActor, act: () => void): void {
    if (this.turns.isBusy || actor.canGoOn) {
      this.later(actor, act);
      return;
    }
    // The document starts over elsewhere: a patch that committed here now would come after the hand-off.
    if (this.shards.someLeave && this.shards.isLeaving(actor.name)) return;
    this.turns.begin();
    this.guard(actor, act);
    this.releaseChannels(actor);
    this.turns.charge(actor);
    this.options.progress.clear();
  }

  private later(actor: DocumentActor, act: () => void): void {
    actor.later(act);
    this.turns.wait(actor);
  }

  /** Gives the document its turn. False if no more of its work is ready. */
  private takeTurn(actor: DocumentActor): boolean {
    if (this.isLost) return false;
    if (!this.options.confirmed()) {
      this.dropAll();
      return false;
    }
    if (this.shards.someLeave && this.shards.isLeaving(actor.name)) return false;
    let more = false;
    this.guard(actor, () => {
      more = actor.takeTurn();
    });
    this.releaseChannels(actor);
    return more;
  }

  /** Runs `act`. If it throws, only this document is dropped. */
  private guard(actor: DocumentActor, act: () => void): void {
    this.options.progress.enter(actor.name);
    try {
      act();
    } catch (error) {
      const at = actor.handling;
      actor.handling = undefined;
      const { times, putOut } = this.quarantined.failed(actor.name, this.options.clock.now());
      this.options.onFailed(actor.name);
      this.options.log('error', 'a document failed', {
        doc: actor.name,
        times,
        quarantinedForMs: putOut?.forMs,
        error: String(error),
        stack: error instanceof Error ? error.stack : undefined,
      });
      const told = (): void => {
        if (at !== undefined)
          this.refuse(at.link, at.message, 'bad-op', 'the document cannot take this patch');
        actor.reset();
      };
      if (at?.message[0] === SUBMIT) this.startOver(actor, told);
      else {
        told();
        this.forget(actor);
      }
    }
  }

  /**
   * Starts a document over that has failed at a submit for good. Only an owner may give the final answer,
   * so the document stands still until the session is known to live. Then `last` gives the answer and
   * resets the document.
   */
  private startOver(actor: DocumentActor, last: () => void): void {
    if (this.actors.get(actor.name) !== actor) return;
    if (actor.id !== undefined) this.committer.forget(actor.id);
    actor.halt();
    this.live.ask(actor, () =>
      this.answered(actor, () => {
        last();
        this.forget(actor);
      }),
    );
  }

  private refuse(
    id: number,
    message: ToOwner,
    code: 'unavailable' | 'not-open' | 'bad-op',
    text: string,
    retryAfterMs = 0,
  ): void {
    const link = this.links.get(id)?.link;
    if (message[0] === OPEN)
      link?.send([
        OPEN_FAILED,
        message[1],
        message[2],
        isFinal(code) ? 'internal' : code,
        text,
        retryAfterMs,
      ]);
    if (message[0] === SUBMIT) link?.send([REFUSED, message[1], message[2], message[3], code, text]);
  }

  private actor(name: string): DocumentActor {
    let actor = this.actors.get(name);
    if (actor === undefined) {
      actor = new DocumentActor(name, this.effects, this.options.limits.actor);
      this.actors.set(name, actor);
    }
    return actor;
  }

  /**
   * Removes the actor of a document that starts over. Gateways open the document again on new channels,
   * with a new actor.
   */
  private forget(actor: DocumentActor): void {
    if (actor.id !== undefined) this.committer.forget(actor.id);
    actor.drop();
    this.live.forget(actor);
    this.history.forget(actor);
    this.dirtyPresence.delete(actor);
    if (this.actors.get(actor.name) === actor) this.actors.delete(actor.name);
    for (const { link, chan } of actor.channels) this.links.get(link)?.channels.delete(chan);
  }

  private makeLoader(): Loader {
    const { store, session, limits, progress, clock, log } = this.options;
    return new Loader({
      store,
      committer: this.committer,
      historyTag: session.historyTag,
      limits: limits.actor,
      progress,
      clock,
      serves: (doc) => this.shards.serves(doc),
      isCurrent: (actor) => this.actors.get(actor.name) === actor,
      log,
    });
  }

  private makeEffects(): ActorEffects {
    const { options, committer, live, turns } = this;
    const { store } = options;
    const { windowMessages, windowBytes } = options.limits.link;
    const rooms = {
      loads: new WaitingRoom(options.limits.loadsWaiting),
      turns: new WaitingRoom({
        messages: windowMessages * POSTPONED_SHARE,
        bytes: windowBytes * POSTPONED_SHARE,
      }),
    };
    const orUndefined = <T>(
      actor: DocumentActor,
      answer: Promise<T>,
      done: (value: T | undefined) => void,
    ): void => {
      answer.then(
        (value) => this.answered(actor, () => done(value)),
        (error: unknown) => {
          if (!(error instanceof StoreUnavailable))
            options.log('error', 'a read failed', { doc: actor.name, error: String(error) });
          this.answered(actor, () => done(undefined));
        },
      );
    };
    return {
      send: (link, message) => this.links.get(link)?.link.send(message),
      get full() {
        return committer.full || live.full;
      },
      append: (actor, { version, client, seq }, user, op) => {
        const epoch = this.shards.epochOf(actor.name);
        if (epoch === undefined) throw new Error('a patch for a document that is not owned');
        actor.listener ??= this.listenerOf(actor);
        committer.enqueue(actor.listener, {
          doc: actor.id ?? 0,
          version,
          epoch,
          client,
          seq,
          user,
          op,
        });
      },
      load: (actor, create, done) => {
        const told = (result: LoadResult): void => this.answered(actor, () => done(result));
        this.loads.add({ actor, create, done: told });
      },
      history: (actor, after, upTo, maxBytes, done) =>
        orUndefined(actor, store.history(actor.id ?? 0, after, upTo, maxBytes), done),
      reserve: (actor, bytes, then) => this.history.ask(actor, bytes, then),
      clientSeqs: (actor, client, upTo, done) =>
        orUndefined(
          actor,
          store.clientSeqs(actor.id ?? 0, client, upTo).then((found) => found ?? { lastSeq: 0, pairs: [] }),
          done,
        ),
      seqVersion: (actor, client, seq, done) =>
        orUndefined(
          actor,
          this.seqs.find(actor.id ?? 0, client, seq).then((version) => version ?? 0),
          done,
        ),
      whenLive: (actor, then, outOfReach) =>
        this.live.ask(
          actor,
          () => this.answered(actor, then),
          outOfReach && (() => this.answered(actor, outOfReach)),
        ),
      fold: (actor, version, made, done) => this.fold(actor, version, made, done),
      merge: (actor, updates, done) => {
        this.merging = this.merging.then(() => this.merge(actor, updates, done));
      },
      share: (actor, link, bytes, then) =>
        this.links.get(link)?.snapshots.send(bytes, () => this.answered(actor, then)) === true,
      sharedNumber: (link, bytes) => this.links.get(link)?.snapshots.numberOf(bytes),
      rooms,
      get mustYield() {
        return turns.mustYield;
      },
      later: (actor, act) => this.later(actor, act),
      next: (actor, act) => {
        actor.next(act);
        turns.wait(actor);
      },
      postponed: (actor, { link, message }) => {
        this.links.get(link)?.link.postpone(message);
        turns.wait(actor);
      },
      settled: ({ link, message }) => this.links.get(link)?.link.settle(message),
      wantTurn: (actor) => turns.wait(actor),
      presenceChanged: (actor) => {
        this.dirtyPresence.add(actor);
        this.stopPresence ??= options.clock.after(PRESENCE_TICK_MS, () => this.flushPresence());
      },
    };
  }

  /** Passes the committer's reports to an actor through the guard. A dropped actor is never woken. */
  private listenerOf(actor: DocumentActor): CommitListener {
    return {
      durableTo: (version) => {
        this.turns.begin();
        this.guard(actor, () => actor.durableTo(version));
        this.turns.charge(actor);
      },
      refusedByStore: (rows) => this.startOver(actor, () => actor.refusedByStore(rows)),
    };
  }

  private fold(
    actor: DocumentActor,
    version: number,
    made: MadeSnapshot | undefined,
    done: (bytes: number | undefined) => void,
  ): void {
    const { id, kindName } = actor;
    const epoch = this.shards.epochOf(actor.name);
    if (id === undefined || kindName === undefined || epoch === undefined) return;
    const request: FoldRequest = {
      session: this.options.session,
      doc: id,
      kind: kindName,
      version,
    };
    const making =
      made === undefined
        ? this.options.fold(request)
        : this.options.store
            .writeSnapshot({ ...made, doc: id, version, epoch })
            .then((written) => (written ? made.state.length : undefined));
    const folding = making.then(
      (bytes) => this.answered(actor, () => done(bytes)),
      (error: unknown) => {
        const fields = { doc: actor.name, version, error: String(error) };
        this.options.log('warn', 'a snapshot was not made', fields);
        this.answered(actor, () => done(undefined));
      },
    );
    this.folds.add(folding);
    void folding.finally(() => this.folds.delete(folding));
  }

  private async merge(
    actor: DocumentActor,
    updates: readonly Uint8Array[],
    done: (merged: Uint8Array | undefined) => void,
  ): Promise<void> {
    if (this.actors.get(actor.name) !== actor || this.isLost) return;
    try {
      const merged = await this.options.merge(updates.map((update) => new Uint8Array(update)));
      this.answered(actor, () => done(merged));
    } catch (error) {
      this.options.log('warn', 'updates were not merged', { doc: actor.name, error: String(error) });
      this.answered(actor, () => done(undefined));
    }
  }

  private flushPresence(): void {
    this.stopPresence = undefined;
    const dirty = [...this.dirtyPresence];
    this.dirtyPresence.clear();
    for (const actor of dirty) this.answered(actor, () => actor.flushPresence());
  }

  private turnAway(link: Link<ToGateway, ToOwner>, messages: readonly ToOwner[]): void {
    this.dropAll();
    for (const chan of new Set(messages.map((message) => message[1]))) link.send([NOT_OWNER, chan]);
  }

  /**
   * Drops all documents, because this session's ownership is no longer confirmed. Gateways look for the
   * owner again.
   */
  private dropAll(): void {
    for (const actor of [...this.actors.values()]) {
      actor.reset(true);
      this.forget(actor);
    }
  }

  private sweep(): void {
    const { limits, clock } = this.options;
    if (!this.options.confirmed()) {
      this.dropAll();
      return;
    }
    for (const { snapshots } of this.links.values()) snapshots.sweep();
    const oldest = clock.now() - limits.idleMs;
    const small = limits.memoryBytes * SMALL_SHARE;
    let bytes = 0;
    let smallBytes = 0;
    for (const actor of this.actors.values()) {
      bytes += actor.bytes;
      if (actor.bytes < small) smallBytes += actor.bytes;
    }
    // If large documents take the memory, unloading small ones frees almost nothing and delays their
    // editors.
    const areSmallTooMany = smallBytes > limits.memoryBytes / 2;
    const quiet = [...this.actors.values()].filter((actor) => {
      const isIdle = !actor.hasSubscribers && actor.lastUsed < oldest;
      const isWorthIt = actor.isResident && (areSmallTooMany || actor.bytes >= small);
      return actor.isQuiet && (isIdle || isWorthIt);
    });
    quiet.sort((a, b) => a.lastUsed - b.lastUsed);
    this.passivate(quiet, oldest, Math.max(0, bytes - limits.memoryBytes));
  }

  /**
   * Unloads quiet documents, the least recently used first. Each may need a snapshot, so others get turns
   * between them.
   */
  private passivate(quiet: readonly DocumentActor[], oldest: number, above: number): void {
    let left = above;
    this.turns.begin();
    for (const [at, actor] of quiet.entries()) {
      if (this.turns.mustYield) {
        this.options.clock.soon(() => this.passivate(quiet.slice(at), oldest, left));
        return;
      }
      if (this.actors.get(actor.name) !== actor || !actor.isQuiet) continue;
      const isIdle = !actor.hasSubscribers && actor.lastUsed < oldest;
      if (!isIdle && (left <= 0 || !actor.isResident)) continue;
      const { bytes } = actor;
      this.guard(actor, () => {
        if (actor.foldWhenIdle()) return;
        left -= bytes;
        if (actor.hasSubscribers) actor.unload();
        else this.forget(actor);
      });
      this.turns.charge(actor);
    }
    this.options.progress.clear();
  }
}
