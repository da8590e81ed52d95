// One document as an actor. It takes the messages of its links one by one. It keeps them in the mailbox
// while the document is being loaded, and while the document waits for its turn at the worker's thread. It
// is synchronous and does no I/O: it sends its requests to `DocumentEffects`, and the answers come back as
// calls. Other files of this folder carry out the messages.
//
// Modes: cold -> loading -> active -> cold; cold -> changing -> cold, while the store deletes the document or brings it
// back; any -> halted -> cold; any -> dropped. Only `setMode` changes the mode, by a move of the table MOVES.
//
// The file has over 400 lines, because all moves between the modes stand in it.
import { type ErrorCode, FINAL_SUBMIT_CODES } from '../../protocol/errors.ts';
import type { KindName } from '../../protocol/messages.ts';
import type { CommitListener } from '../commit/committer.ts';
import { AGAIN, type OwnerAnswer, refusedCall } from '../link/calls.ts';
import { BEHIND_OPEN } from '../link/left-open.ts';
import {
  ANSWER,
  CALL,
  CLOSE,
  OPEN,
  PRESENCE,
  RESET,
  STATELESS,
  SUBMIT,
  type ToOwner,
} from '../link/link-messages.ts';
import { NOT_FOUND } from '../link/missing-document.ts';
import { assertMove, type Moves } from '../modes.ts';
import type { Creation } from '../storage/store.ts';
import { Mailbox } from '../turns/mailbox.ts';
import { TurnMark } from '../turns/turns.ts';
import { type ChangeCall, Changing } from './calls/changing.ts';
import { creationOf, isCreation } from './creating.ts';
import type { ActorLimits, ChangeResult, DocumentEffects, LoadResult } from './effects.ts';
import type { Entry } from './entry.ts';
import { ResidentDocument } from './resident-document.ts';
import { TurnedAway } from './submits/turned-away.ts';
import { Audience } from './subscribers/audience.ts';

export type { ActorLimits, LoadResult } from './effects.ts';

/** One gateway's channel to this document. */
export interface ActorChannel {
  readonly link: number;
  readonly channelId: number;
}

type Mode = 'cold' | 'loading' | 'active' | 'changing' | 'halted' | 'dropped';

const MOVES: Moves<Mode> = {
  cold: ['loading', 'changing', 'halted', 'dropped'],
  loading: ['active', 'cold'],
  active: ['cold'],
  changing: ['cold'],
  halted: ['cold'],
  dropped: [],
};

export interface Arrived {
  readonly link: number;
  readonly message: ToOwner;
  /**
   * The message waits for the document's turn. Its link counts it as handled once it has left the mailbox.
   */
  readonly postponed: boolean;
}

export class DocumentActor {
  readonly name: string;
  readonly #effects: DocumentEffects;
  readonly #limits: ActorLimits;
  readonly #mailbox: Mailbox<Arrived>;
  readonly #audience: Audience;
  readonly #turnedAway = new TurnedAway();
  readonly #changing = new Changing();
  /** The creations that messages of the mailbox ask for, and that have been checked. */
  #creations = new WeakMap<ToOwner, Creation>();
  #mode: Mode = 'cold';
  /** Set while the document is active. */
  #resident: ResidentDocument | undefined;
  /** Kept when the document leaves memory. */
  #knownId: number | undefined;
  /** Kept by the worker's turns. */
  readonly turn = new TurnMark();
  /**
   * Pieces of work that wait for a turn. They belong to messages that came before all messages in the
   * mailbox.
   */
  #work: (() => void)[] = [];
  /** The message that had come before the reads of the last load began. */
  #readAfter: Arrived | undefined;
  /** The message that is being handled. */
  handling: Pick<Arrived, 'link' | 'message'> | undefined;
  /** When the latest message came, in ms of the host's clock. Set by the host. */
  lastUsed = 0;
  /** The channels that lead here. Kept by the host. */
  channels: ActorChannel[] = [];
  /** The listener for the outcome of this document's appends. Kept by the host. */
  listener: CommitListener | undefined;

  /** `effectsOf` makes the effects of this actor. */
  constructor(name: string, effectsOf: (actor: DocumentActor) => DocumentEffects, limits: ActorLimits) {
    this.name = name;
    this.#effects = effectsOf(this);
    this.#limits = limits;
    this.#mailbox = new Mailbox(limits.mailbox, (item) => {
      if (item.postponed) this.#effects.settled(item);
    });
    this.#audience = new Audience(name, this.#effects, limits);
  }

  /** The document's id. Undefined until the document has been loaded. */
  get id(): number | undefined {
    return this.#knownId;
  }

  get kindName(): KindName | undefined {
    return this.#resident?.document.kind.name;
  }

  /** Approximate bytes in memory. */
  get bytes(): number {
    return 512 + 256 * this.#audience.subscribers.size + (this.#resident?.document.bytes ?? 0);
  }

  get isResident(): boolean {
    return this.#resident !== undefined;
  }

  /** True if nothing is under way, so that the memory of the document may be freed. */
  get isQuiet(): boolean {
    return (
      (this.#mode === 'cold' ||
        (this.#mode === 'active' && this.#resident?.isQuiet === true && !this.hasWork)) &&
      !this.#changing.isUnderWay
    );
  }

  /** True if a message or a piece of work waits for a turn or for the load. */
  get hasWork(): boolean {
    return this.#work.length > 0 || !this.#mailbox.isEmpty;
  }

  /** True if a submit or a call waits in the mailbox. */
  get hasWaitingSubmits(): boolean {
    return this.#mailbox.find(({ message }) => message[0] === SUBMIT || message[0] === CALL) !== undefined;
  }

  get hasSubscribers(): boolean {
    return this.#audience.subscribers.size > 0;
  }

  /**
   * Removes unused channels from `channels` and returns them: no socket has the document open over such a
   * channel, and no open waits for it. Costs nothing if no subscriber has left or been refused since the
   * last call.
   */
  releaseChannels(): readonly ActorChannel[] {
    const { subscribers } = this.#audience;
    if (!subscribers.emptied) return NONE;
    subscribers.emptied = false;
    const isUsed = ({ link, channelId }: ActorChannel): boolean =>
      subscribers.hasChannel(link, channelId) ||
      this.#mailbox.find((item) => item.link === link && item.message[1] === channelId) !== undefined;
    const released = this.channels.filter((channel) => !isUsed(channel));
    if (released.length > 0) this.channels = this.channels.filter((channel) => !released.includes(channel));
    return released;
  }

  handle(link: number, message: ToOwner): void {
    if (this.#mode === 'dropped') return;
    if (!this.#mayEnter(link, message)) return;
    if (this.#resident !== undefined && this.#mailbox.isEmpty && !this.#changing.isUnderWay) {
      this.#process(this.#resident, link, message);
      return;
    }
    if (this.#mode === 'cold' && message[0] === CLOSE) {
      this.#audience.leaveBy(link, message[2]);
      return;
    }
    const change = this.#mode === 'cold' && !this.#changing.isUnderWay ? changeOf(link, message) : undefined;
    if (change !== undefined) {
      // A document that does not load can be deleted too.
      this.#changing.begin(change);
      return;
    }
    if (!this.#mayCreate(link, message)) return;
    this.#keep({ link, message, postponed: false });
    if (this.#mode === 'cold') this.#load();
  }

  /** Queues a message for the turn of a document that is in memory. */
  postpone(link: number, message: ToOwner): void {
    if (this.#mode === 'dropped' || !this.#mayEnter(link, message) || !this.#mayCreate(link, message)) return;
    const item = { link, message, postponed: true };
    if (this.#keep(item)) this.#effects.postponed(item);
  }

  /** Queues a piece of work for the document's turn. */
  later(act: () => void): void {
    if (this.#mode !== 'dropped') this.#work.push(act);
  }

  /** Queues a piece of work before everything else that waits. */
  next(act: () => void): void {
    if (this.#mode !== 'dropped') this.#work.unshift(act);
  }

  /**
   * Does the next piece of waiting work, or handles the next message unless the document is being loaded.
   * True if more is ready.
   */
  takeTurn(): boolean {
    const act = this.#work.shift();
    if (act !== undefined) {
      act();
      return this.canGoOn;
    }
    const item = this.#resident === undefined || this.#changing.isUnderWay ? undefined : this.#mailbox.take();
    if (item !== undefined && this.#resident !== undefined) this.#processKept(this.#resident, item);
    return this.canGoOn;
  }

  /** True if work or a message waits for nothing but a turn. */
  get canGoOn(): boolean {
    if (this.#work.length > 0) return true;
    return this.#resident !== undefined && !this.#mailbox.isEmpty && !this.#changing.isUnderWay;
  }

  /** True if the next piece of work goes through a large patch or through a whole large document. */
  get isCostlyNext(): boolean {
    const next = this.#work.length > 0 ? undefined : this.#mailbox.next?.message;
    if (next !== undefined && next[0] !== OPEN) return sizeOf(next) > LARGE_PATCH;
    return this.#resident === undefined || this.#resident.document.bytes > LARGE_DOCUMENT;
  }

  /** Call it after each piece of the actor's work. A change waits for the end of all of them. */
  settle(): void {
    if (!this.#changing.waits || this.#work.length > 0) return;
    if (this.#mode === 'cold' || (this.#mode === 'active' && this.#resident?.isQuiet)) this.#change();
  }

  #change(): void {
    const call = this.#changing.sent();
    this.unload();
    this.#setMode('changing');
    this.#effects.change(call.change, (result) => {
      if (!this.#changing.ended(call)) return;
      this.#setMode('cold');
      if (result.type === 'changed') {
        this.#knownId = undefined;
        if (call.change.type === 'remove') this.#audience.endAll('deleted');
      }
      this.#answer(call, answerTo(result));
      if (!this.#mailbox.isEmpty) this.#load();
    });
  }

  #answer({ link, callId }: Pick<ChangeCall, 'link' | 'callId'>, answer: OwnerAnswer): void {
    this.#effects.send(link, [ANSWER, callId, answer, null]);
  }

  /** False if the message would create a document with a patch that is wrong. It has then been answered. */
  #mayCreate(link: number, message: ToOwner): boolean {
    if (message[0] !== CALL || this.#resident !== undefined) return true;
    const found = creationOf(message, this.#limits);
    if (found === undefined) return true;
    if (isCreation(found)) this.#creations.set(message, found);
    else this.#audience.turnAway(link, message, found.code, found.message);
    return isCreation(found);
  }

  #creationOf(message: ToOwner): Creation | undefined {
    const found = this.#creations.get(message) ?? creationOf(message, this.#limits);
    return isCreation(found) ? found : undefined;
  }

  /** False if the message stands behind one that was turned away. It has then been turned away too. */
  #mayEnter(link: number, message: ToOwner): boolean {
    if (this.#turnedAway.isEmpty) return true;
    if (this.#mailbox.isEmpty) this.#handOverTurnedAway();
    const behind = this.#turnedAway.arrives(link, message);
    if (behind !== undefined) this.#audience.turnAway(link, message, behind, BEHIND_OPEN);
    return behind === undefined;
  }

  /** False if the message did not fit. It has then been answered. */
  #keep(item: Arrived): boolean {
    const { link, message, postponed } = item;
    const { rooms } = this.#effects;
    const room = postponed ? rooms.turns : rooms.loads;
    // A close is always taken, because it frees memory.
    if (this.#mailbox.put(item, sizeOf(message), room, message[0] === CLOSE)) return true;
    this.#turnedAway.add(link, message, 'overloaded');
    this.#audience.turnAway(link, message, 'overloaded', 'too many messages wait for this document');
    return false;
  }

  #processKept(resident: ResidentDocument, item: Arrived): void {
    const isReadAfter = item === this.#readAfter;
    if (isReadAfter) this.#readAfter = undefined;
    this.#process(resident, item.link, item.message, isReadAfter);
  }

  /** `isReadAfter`: the document was read from the store after the message came. */
  #process(resident: ResidentDocument, link: number, message: ToOwner, isReadAfter = false): void {
    const change = changeOf(link, message);
    if (change?.change.type === 'remove') {
      this.#changing.begin(change);
      return;
    }
    if (change !== undefined) {
      this.#effects.whenLive(() => this.#answer(change, answerTo({ type: 'exists' })));
      return;
    }
    this.handling = { link, message };
    resident.process(link, message, isReadAfter);
    this.handling = undefined;
  }

  /** Removes all subscribers and messages of a link that is gone. */
  linkLost(link: number): void {
    this.#mailbox.removeWhere((item) => item.link === link);
    this.#turnedAway.linkLost(link);
    this.#audience.leaveLink(link);
  }

  /** Reports that patches up to `version` are durable. */
  durableTo(version: number): void {
    this.#resident?.durableTo(version);
  }

  /**
   * Stops a document that has failed and is about to be reset. Its state leaves memory, and messages that
   * come meanwhile wait for the reset.
   */
  halt(): void {
    this.unload();
    if (this.#mode !== 'dropped') this.#setMode('halted');
  }

  /** Rejects patches that the store can never hold, and starts the document over from the log. */
  refusedByStore(entries: readonly Pick<Entry, 'client' | 'seq'>[]): void {
    for (const { client, seq } of entries) {
      const author = this.#audience.subscribers.ofClient(client);
      const message = 'the store cannot hold this patch';
      if (author !== undefined) this.#audience.refuse(author, seq, 'bad-op', message);
      this.#audience.calls.answerAuthor(client, refusedCall('bad-op', message));
    }
    this.reset();
  }

  /**
   * Drops the state in memory, durable or not. Gateways open the document again and send unanswered submits
   * again. With `moved` they look for the new owner, and so do the senders of waiting messages.
   */
  reset(moved = false): void {
    this.#turnedAway.clear();
    this.#audience.reset();
    const change = this.#changing.giveUp();
    if (change !== undefined) this.#answer(change, AGAIN);
    const told = new Set<string>();
    for (const { link, message } of this.#mailbox.clear()) {
      if (message[0] === CALL) this.#answer({ link, callId: message[1] }, AGAIN);
      if (message[0] !== OPEN && message[0] !== SUBMIT) continue;
      const channel = `${link} ${message[1]}`;
      if (!moved) this.#audience.turnAway(link, message, 'unavailable', 'the document starts over');
      else if (!told.has(channel)) this.#effects.send(link, [RESET, message[1]]);
      told.add(channel);
    }
    this.unload();
  }

  /** Tells the senders of all waiting messages to try again. */
  refuseWaiting(why: string): void {
    for (const { link, message } of this.#mailbox.clear()) {
      if (message[0] === OPEN || message[0] === SUBMIT || message[0] === CALL)
        this.#audience.turnAway(link, message, 'unavailable', why);
    }
  }

  /**
   * Frees the document's memory. Subscribers stay, and the next message loads the document again. Call it
   * only when the document is quiet.
   */
  unload(): void {
    this.#resident?.end();
    this.#resident = undefined;
    this.#readAfter = undefined;
    if (this.#mode !== 'dropped') this.#setMode('cold');
  }

  drop(): void {
    this.unload();
    this.#work = [];
    this.#mailbox.clear();
    this.#setMode('dropped');
  }

  /**
   * Call it before the document is unloaded. True if a snapshot is being made; its end frees the document.
   */
  foldWhenIdle(): boolean {
    return this.#resident?.foldWhenIdle() ?? false;
  }

  flushPresence(): void {
    this.#audience.flushPresence();
  }

  #setMode(mode: Mode): void {
    if (mode === this.#mode) return;
    assertMove(`the actor of ${this.name}`, MOVES, this.#mode, mode);
    this.#mode = mode;
  }

  #load(): void {
    this.#setMode('loading');
    this.#readAfter = this.#mailbox.next;
    const first = this.#mailbox.find(({ message }) => message[0] === OPEN || message[0] === CALL)?.message;
    const create = first && this.#creationOf(first);
    this.#effects.load(create, (result) => {
      if (this.#mode !== 'loading') return;
      if (result.type === 'loaded') this.#loaded(result);
      else this.#notLoaded(result);
    });
  }

  #loaded(result: LoadResult & { readonly type: 'loaded' }): void {
    const { document } = result;
    const resident = new ResidentDocument(result, this.#audience, this.#effects, this.#limits);
    this.#resident = resident;
    this.#knownId = document.id;
    this.#setMode('active');
    while (this.#resident === resident && this.#work.length === 0 && !this.#effects.mustYield) {
      if (this.#changing.isUnderWay) return;
      const item = this.#mailbox.take();
      if (item === undefined) break;
      this.#processKept(resident, item);
    }
    if (this.#resident !== resident) return;
    if (this.canGoOn) this.#effects.wantTurn();
    else this.#handOverTurnedAway();
  }

  #notLoaded(result: Exclude<LoadResult, { readonly type: 'loaded' }>): void {
    const [code, text]: [ErrorCode, string] =
      result.type === 'missing' ? ['not-found', NOT_FOUND] : [result.code, result.message];
    this.#setMode('cold');
    const isMissing = result.type === 'missing';
    let isWanted = false;
    for (const { link, message } of this.#mailbox.clear()) {
      const change = isMissing && !isWanted ? changeOf(link, message) : undefined;
      if (change !== undefined && !this.#changing.isUnderWay) {
        this.#changing.begin(change);
        continue;
      }
      // A later message may create the document that the first one only asked for.
      isWanted ||= this.#changing.isUnderWay || (isMissing && this.#creationOf(message) !== undefined);
      if (!isWanted) this.#audience.turnAway(link, message, code, text);
      else
        this.#mailbox.put(
          { link, message, postponed: false },
          sizeOf(message),
          this.#effects.rooms.loads,
          true,
        );
    }
    if (this.#changing.isUnderWay) return;
    if (isWanted) this.#load();
    else this.#handOverTurnedAway();
  }

  /**
   * Call it when all waiting opens have been answered. The subscribers have their refused submits from now on. They alone
   * can learn from the store which of these have committed.
   */
  #handOverTurnedAway(): void {
    for (const { link, subscriptionId, leftOpen } of this.#turnedAway.takeAll())
      this.#audience.leaveOpen(link, subscriptionId, leftOpen);
  }
}

const NONE: readonly ActorChannel[] = [];

/** A patch or a document from this size on, in bytes, takes milliseconds of the thread. */
const LARGE_PATCH = 8 * 1024;
const LARGE_DOCUMENT = 128 * 1024;

const FINAL: ReadonlySet<string> = new Set(FINAL_SUBMIT_CODES);

export const isFinal = (code: ErrorCode): boolean => FINAL.has(code);

/** The change that a message asks for. Undefined for all other messages. */
function changeOf(link: number, message: ToOwner): ChangeCall | undefined {
  if (message[0] !== CALL) return undefined;
  const [, callId, , change] = message;
  return change.type === 'remove' || change.type === 'bringBack' ? { link, callId, change } : undefined;
}

function answerTo(result: ChangeResult): OwnerAnswer {
  switch (result.type) {
    case 'changed':
      return result;
    case 'none':
      return refusedCall('not-found', NOT_FOUND);
    case 'exists':
      return refusedCall('exists', 'there is a document of this name');
    case 'failed':
      return refusedCall('unavailable', 'the store is out of reach');
    default:
      throw new Error(`unknown result ${String(result satisfies never)}`);
  }
}

function sizeOf(message: ToOwner): number {
  if (message[0] === CALL) return 256 + (message[4]?.[1].length ?? 0);
  if (message[0] === SUBMIT) return 64 + message[5][1].length;
  if (message[0] === STATELESS) return 64 + message[3].length;
  return message[0] === PRESENCE ? 64 + (message[3]?.length ?? 0) : 256;
}
