// One document as an actor: takes the messages of its links one by one, and keeps them in the mailbox
// while the document is being loaded, and while it waits for its turn at the worker's thread. Synchronous and
// without I/O: what it needs from outside it asks of `ActorEffects`, whose answers come back as calls. What a
// message means is served beside it.
//
// Modes: cold -> loading -> active -> cold; any -> halted -> cold; any -> dropped. Only `setMode` changes it.
import { type ErrorCode, FINAL_SUBMIT_CODES } from '../../protocol/errors.ts';
import type { KindName } from '../../protocol/messages.ts';
import type { CommitListener } from '../committer.ts';
import { BEHIND_OPEN } from '../left-open.ts';
import { CLOSE, OPEN, PRESENCE, RESET, SUBMIT, type ToOwner } from '../link-messages.ts';
import { Mailbox } from '../mailbox.ts';
import { TurnMark } from '../turns.ts';
import { Audience } from './audience.ts';
import { Door } from './door.ts';
import { type ActorLimits, type Effects, Hand, type LoadResult } from './effects.ts';
import type { Entry } from './entry.ts';
import { Serving } from './serving.ts';

export type { ActorLimits, LoadResult } from './effects.ts';

/** What an actor asks of its host. */
export type ActorEffects = Effects<DocumentActor>;

/** One gateway's channel to this document. */
export interface ActorChannel {
  readonly link: number;
  readonly chan: number;
}

type Mode = 'cold' | 'loading' | 'active' | 'halted' | 'dropped';
export interface Arrived {
  readonly link: number;
  readonly message: ToOwner;
  /** It waits for the document's turn: its link counts it as handled when it has left the mailbox. */
  readonly postponed: boolean;
}

export class DocumentActor {
  readonly name: string;
  private readonly hand: Hand<DocumentActor>;
  private readonly limits: ActorLimits;
  private readonly mailbox: Mailbox<Arrived>;
  private readonly audience: Audience;
  private readonly door = new Door();
  private mode: Mode = 'cold';
  /** While active. */
  private serving: Serving | undefined;
  /** Stays when the document leaves memory. */
  private knownId: number | undefined;
  /** Kept by the worker's turns. */
  readonly turn = new TurnMark();
  /** Pieces of work that wait for its turn; what they belong to came before all that is in the mailbox. */
  private work: (() => void)[] = [];
  /** The message that is being handled. */
  handling: Pick<Arrived, 'link' | 'message'> | undefined;
  /** Set by the host, its clock in ms: when a message came last. */
  lastUsed = 0;
  /** Kept by the host: the channels that lead here. */
  channels: ActorChannel[] = [];
  /** Kept by the host: who hears what became of its patches. */
  listener: CommitListener | undefined;

  constructor(name: string, effects: ActorEffects, limits: ActorLimits) {
    this.name = name;
    this.hand = new Hand(effects, this);
    this.limits = limits;
    this.mailbox = new Mailbox(limits.mailbox, (item) => {
      if (item.postponed) this.hand.settled(item);
    });
    this.audience = new Audience(name, this.hand, limits);
  }

  /** The document's id once it is loaded. */
  get id(): number | undefined {
    return this.knownId;
  }

  get kindName(): KindName | undefined {
    return this.serving?.document.kind.name;
  }

  /** Approximate bytes in memory. */
  get bytes(): number {
    return 512 + 256 * this.audience.subscribers.size + (this.serving?.document.bytes ?? 0);
  }

  get isResident(): boolean {
    return this.serving !== undefined;
  }

  /** Nothing is under way: its memory may go. */
  get isQuiet(): boolean {
    return (
      this.mode === 'cold' || (this.mode === 'active' && this.serving?.isQuiet === true && !this.hasWork)
    );
  }

  /** Something waits for its turn, or for the load. */
  get hasWork(): boolean {
    return this.work.length > 0 || !this.mailbox.isEmpty;
  }

  /** Somebody waits for the answer to an edit, and for the document. */
  get hasWaitingSubmits(): boolean {
    return this.mailbox.find(({ message }) => message[0] === SUBMIT) !== undefined;
  }

  get hasSubscribers(): boolean {
    return this.audience.subscribers.size > 0;
  }

  /**
   * Takes those off `channels` over which nobody has the document open any more, nor is about to, and
   * returns them. Costs nothing where nobody has left or been refused since it was asked last.
   */
  releaseChannels(): readonly ActorChannel[] {
    const { subscribers } = this.audience;
    if (!subscribers.emptied) return NONE;
    subscribers.emptied = false;
    const isUsed = ({ link, chan }: ActorChannel): boolean =>
      subscribers.hasChannel(link, chan) ||
      this.mailbox.find((item) => item.link === link && item.message[1] === chan) !== undefined;
    const released = this.channels.filter((channel) => !isUsed(channel));
    if (released.length > 0) this.channels = this.channels.filter((channel) => !released.includes(channel));
    return released;
  }

  handle(link: number, message: ToOwner): void {
    if (this.mode === 'dropped') return;
    if (!this.mayEnter(link, message)) return;
    if (this.serving !== undefined && this.mailbox.isEmpty) {
      this.process(this.serving, link, message);
      return;
    }
    if (this.mode === 'cold' && message[0] === CLOSE) {
      this.audience.leaveBy(link, message[2]);
      return;
    }
    this.keep({ link, message, postponed: false });
    if (this.mode === 'cold') this.load();
  }

  /** A message for a document that is in memory waits for its turn. */
  postpone(link: number, message: ToOwner): void {
    if (this.mode === 'dropped' || !this.mayEnter(link, message)) return;
    const item = { link, message, postponed: true };
    if (this.keep(item)) this.hand.postponed(item);
  }

  /** A piece of work waits for the document's turn. */
  later(act: () => void): void {
    if (this.mode !== 'dropped') this.work.push(act);
  }

  /** The same, before all that waits. */
  next(act: () => void): void {
    if (this.mode !== 'dropped') this.work.unshift(act);
  }

  /** Does the next of what waits for its turn; nothing while it is being loaded. True: more waits. */
  takeTurn(): boolean {
    const act = this.work.shift();
    if (act !== undefined) {
      act();
      return this.canGoOn;
    }
    const item = this.serving === undefined ? undefined : this.mailbox.take();
    if (item !== undefined && this.serving !== undefined) this.process(this.serving, item.link, item.message);
    return this.canGoOn;
  }

  /** Something of it waits for nothing but its turn. */
  get canGoOn(): boolean {
    return this.work.length > 0 || (this.serving !== undefined && !this.mailbox.isEmpty);
  }

  /** Its next piece of work goes through a large patch, or through the whole of a large document. */
  get isCostlyNext(): boolean {
    const next = this.work.length > 0 ? undefined : this.mailbox.next?.message;
    if (next !== undefined && next[0] !== OPEN) return sizeOf(next) > LARGE_PATCH;
    return this.serving === undefined || this.serving.document.bytes > LARGE_DOCUMENT;
  }

  /** False: it stands behind one that was turned away, and so has been turned away too. */
  private mayEnter(link: number, message: ToOwner): boolean {
    const behind = this.door.arrives(link, message);
    if (behind !== undefined) this.audience.turnAway(link, message, behind, BEHIND_OPEN);
    return behind === undefined;
  }

  /** False: it did not fit, and has been answered. */
  private keep(item: Arrived): boolean {
    const { link, message, postponed } = item;
    const { rooms } = this.hand;
    const room = postponed ? rooms.turns : rooms.loads;
    // Closing takes no room: it frees some.
    if (this.mailbox.put(item, sizeOf(message), room, message[0] === CLOSE)) return true;
    this.door.turnedAway(link, message, 'overloaded');
    this.audience.turnAway(link, message, 'overloaded', 'too much waits for this document');
    return false;
  }

  private process(serving: Serving, link: number, message: ToOwner): void {
    this.handling = { link, message };
    serving.process(link, message);
    this.handling = undefined;
  }

  /** A link is gone, and all its subscribers with it. */
  linkLost(link: number): void {
    this.mailbox.removeWhere((item) => item.link === link);
    this.door.linkLost(link);
    this.audience.leaveLink(link);
  }

  /** Patches up to `version` are durable. */
  durableTo(version: number): void {
    this.serving?.durableTo(version);
  }

  /** It has failed, and is about to be reset: what is in memory goes, what comes meanwhile waits for that. */
  halt(): void {
    this.unload();
    this.setMode('halted');
  }

  /** Patches that the store can never hold: their authors are told, the rest starts over from the log. */
  refusedByStore(entries: readonly Pick<Entry, 'client' | 'seq'>[]): void {
    for (const { client, seq } of entries) {
      const author = this.audience.subscribers.ofClient(client);
      if (author !== undefined) this.audience.refuse(author, seq, 'bad-op', 'the store cannot hold it');
    }
    this.reset();
  }

  /**
   * Drops what is in memory, durable or not; gateways open again and send again what is unanswered. `moved`: they find
   * it elsewhere, and so does what waits here.
   */
  reset(moved = false): void {
    this.door.clear();
    this.audience.reset();
    const told = new Set<string>();
    for (const { link, message } of this.mailbox.clear()) {
      if (message[0] !== OPEN && message[0] !== SUBMIT) continue;
      const channel = `${link} ${message[1]}`;
      if (!moved) this.audience.turnAway(link, message, 'unavailable', 'the document starts over');
      else if (!told.has(channel)) this.hand.send(link, [RESET, message[1]]);
      told.add(channel);
    }
    this.unload();
  }

  /** What waits is told to try again. */
  refuseWaiting(why: string): void {
    for (const { link, message } of this.mailbox.clear()) {
      if (message[0] === OPEN || message[0] === SUBMIT)
        this.audience.turnAway(link, message, 'unavailable', why);
    }
  }

  /** Frees the document's memory; subscribers stay, the next message loads it again. Call when quiet. */
  unload(): void {
    this.serving?.end();
    this.serving = undefined;
    this.setMode('cold');
  }

  drop(): void {
    this.unload();
    this.work = [];
    this.mailbox.clear();
    this.setMode('dropped');
  }

  /** Before it is unloaded: true where a snapshot was asked for, whose end frees it. */
  foldWhenIdle(): boolean {
    return this.serving?.foldWhenIdle() ?? false;
  }

  flushPresence(): void {
    this.audience.flushPresence();
  }

  private setMode(mode: Mode): void {
    if (this.mode !== 'dropped') this.mode = mode;
  }

  private load(): void {
    this.setMode('loading');
    const first = this.mailbox.find((item) => item.message[0] === OPEN)?.message;
    const create = first?.[0] === OPEN ? first[3].kind : undefined;
    this.hand.load(create, (result) => {
      if (this.mode !== 'loading') return;
      if (result.type === 'loaded') this.loaded(result);
      else this.notLoaded(result);
    });
  }

  private loaded({ document, loaded }: LoadResult & { readonly type: 'loaded' }): void {
    const serving = new Serving(document, loaded, this.audience, this.hand, this.limits);
    this.serving = serving;
    this.knownId = document.id;
    this.setMode('active');
    while (this.serving === serving && this.work.length === 0 && !this.hand.mustYield) {
      const item = this.mailbox.take();
      if (item === undefined) break;
      this.process(serving, item.link, item.message);
    }
    if (this.serving !== serving) return;
    if (this.canGoOn) this.hand.wantTurn();
    else this.keepDoor();
  }

  private notLoaded(result: Exclude<LoadResult, { readonly type: 'loaded' }>): void {
    const [code, text]: [ErrorCode, string] =
      result.type === 'missing' ? ['not-found', 'there is no such document'] : [result.code, result.message];
    this.setMode('cold');
    let isWanted = false;
    for (const item of this.mailbox.clear()) {
      // Somebody else may create what the first one only asked for.
      const creates = item.message[0] === OPEN && item.message[3].kind !== undefined;
      isWanted ||= result.type === 'missing' && creates;
      const { link, message } = item;
      if (!isWanted) this.audience.turnAway(link, message, code, text);
      else
        this.mailbox.put({ link, message, postponed: false }, sizeOf(message), this.hand.rooms.loads, true);
    }
    if (isWanted) this.load();
    else this.keepDoor();
  }

  /** All opens that waited have been answered: of those that made no subscriber nothing is kept. */
  private keepDoor(): void {
    this.door.keep((link, sub) => this.audience.subscribers.find(link, sub) !== undefined);
  }
}

const NONE: readonly ActorChannel[] = [];

/** Bytes from which a patch, or the whole of a document, takes milliseconds of the thread. */
const LARGE_PATCH = 8 * 1024;
const LARGE_DOCUMENT = 128 * 1024;

const FINAL: ReadonlySet<string> = new Set(FINAL_SUBMIT_CODES);

export const isFinal = (code: ErrorCode): boolean => FINAL.has(code);

function sizeOf(message: ToOwner): number {
  if (message[0] === SUBMIT) return 64 + message[5].length;
  return message[0] === PRESENCE ? 64 + (message[3]?.length ?? 0) : 256;
}
