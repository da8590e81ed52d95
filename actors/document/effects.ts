// What a document's actor asks of its host, and the limits it works within. Only shapes, and the thin
// hand through which an actor's parts ask in its name.
import type { KindLimits } from '../../kinds/kind.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { KindName } from '../../protocol/messages.ts';
import type { ToGateway } from '../link-messages.ts';
import type { MailboxLimits, WaitingRoom } from '../mailbox.ts';
import type { ClientSeqs, LoadedDocument, NewSnapshot, StoredDelta } from '../storage/store.ts';
import type { Arrived } from './actor.ts';
import type { Document } from './document.ts';
import type { Entry } from './entry.ts';

export interface ActorLimits extends KindLimits {
  /** Largest frame a client must take; frames of many patches stay well below it. */
  readonly receiveBytes: number;
  /** Patches kept in memory once durable, for transforming and for resuming. */
  readonly residentOps: number;
  /** Patches fetched at once to transform one submit past them. */
  readonly historyOps: number;
  /** Bytes of patches that memory no longer has and that one submit is transformed past at most. */
  readonly historyBytes: number;
  /** Bytes of patches kept in memory once durable; the same purpose as `residentOps`, whichever is less. */
  readonly residentBytes: number;
  readonly mailbox: MailboxLimits;
  /** A snapshot is due when the log since the last exceeds max(minBytes, ratio x snapshot). */
  readonly snapshotMinBytes: number;
  readonly snapshotRatio: number;
}

export type LoadResult =
  | {
      readonly type: 'loaded';
      readonly document: Document;
      readonly loaded: LoadedDocument;
    }
  | { readonly type: 'missing' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };

/** A document's snapshot as its actor makes it; under which epoch it was committed the host knows. */
export type MadeSnapshot = Pick<NewSnapshot, 'previous' | 'logged' | 'state' | 'clients'>;

/** undefined: out of reach. */
export type HistoryAnswer = readonly StoredDelta[] | undefined;
export type ClientSeqsAnswer = ClientSeqs | undefined;

/** Answers come by the callback, later, never from within the call; a dropped actor ignores them. */
export interface Effects<Actor> {
  send(link: number, message: ToGateway): void;
  /** Log a patch. The host calls `durableTo`, or resets the actor. False: too much is waiting for the store. */
  readonly full: boolean;
  append(actor: Actor, entry: Entry, user: string, stored: Uint8Array): void;
  /** `create`: as this kind, where it does not exist. */
  load(actor: Actor, create: KindName | undefined, done: (result: LoadResult) => void): void;
  history(
    actor: Actor,
    after: number,
    upTo: number,
    maxBytes: number,
    done: (deltas: HistoryAnswer) => void,
  ): void;
  /**
   * `then` runs once these bytes of the worker's memory for history are reserved, at once or later; `release` frees
   * them. False: too many wait for some.
   */
  reserve(actor: Actor, bytes: number, then: (release: () => void) => void): boolean;
  clientSeqs(actor: Actor, client: string, upTo: number, done: (found: ClientSeqsAnswer) => void): void;
  /** 0: it did not commit; undefined: out of reach. */
  seqVersion(actor: Actor, client: string, seq: number, done: (version: number | undefined) => void): void;
  /**
   * `then` runs once the database has seen this session live, later than now: not before, and never if it is fenced.
   * While the database is out of reach it is asked again, or `outOfReach` is told, once.
   */
  whenLive(actor: Actor, then: () => void, outOfReach?: () => void): void;
  /**
   * Have a snapshot at `version`, which is durable: the one `made` here, or folded from the log off this thread.
   * `done` tells the bytes of the one that the store now has, undefined: none was made.
   */
  fold(
    actor: Actor,
    version: number,
    made: MadeSnapshot | undefined,
    done: (bytes: number | undefined) => void,
  ): void;
  /** One Yjs update of many, off this thread; undefined: it was not made. */
  merge(actor: Actor, updates: readonly Uint8Array[], done: (merged: Uint8Array | undefined) => void): void;
  presenceChanged(actor: Actor): void;
  /** Where its messages wait, together with those of all documents of the worker. */
  readonly rooms: Rooms;
  /** The rest of a piece of work that has several parts is to be left for `later`: others wait. */
  readonly mustYield: boolean;
  /** Runs `act` in a turn of this actor, before the messages that wait for one. */
  later(actor: Actor, act: () => void): void;
  /** The same, before all else of this actor that waits for one. */
  next(actor: Actor, act: () => void): void;
  /** A message waits for the actor's turn. */
  postponed(actor: Actor, item: Arrived): void;
  /** It does not wait any more. */
  settled(item: Arrived): void;
  /** Messages in the mailbox wait for nothing but a turn. */
  wantTurn(actor: Actor): void;
}

export interface Rooms {
  /** For the load. */
  readonly loads: WaitingRoom;
  /** For a turn. */
  readonly turns: WaitingRoom;
}

/** The effects of one actor. */
export class Hand<Actor = unknown> {
  private readonly effects: Effects<Actor>;
  private readonly actor: Actor;

  constructor(effects: Effects<Actor>, actor: Actor) {
    this.effects = effects;
    this.actor = actor;
  }

  get full(): boolean {
    return this.effects.full;
  }

  send(link: number, message: ToGateway): void {
    this.effects.send(link, message);
  }

  append(entry: Entry, user: string, stored: Uint8Array): void {
    this.effects.append(this.actor, entry, user, stored);
  }

  load(create: KindName | undefined, done: (result: LoadResult) => void): void {
    this.effects.load(this.actor, create, done);
  }

  history(after: number, upTo: number, maxBytes: number, done: (deltas: HistoryAnswer) => void): void {
    this.effects.history(this.actor, after, upTo, maxBytes, done);
  }

  reserve(bytes: number, then: (release: () => void) => void): boolean {
    return this.effects.reserve(this.actor, bytes, then);
  }

  clientSeqs(client: string, upTo: number, done: (found: ClientSeqsAnswer) => void): void {
    this.effects.clientSeqs(this.actor, client, upTo, done);
  }

  seqVersion(client: string, seq: number, done: (version: number | undefined) => void): void {
    this.effects.seqVersion(this.actor, client, seq, done);
  }

  whenLive(then: () => void, outOfReach?: () => void): void {
    this.effects.whenLive(this.actor, then, outOfReach);
  }

  fold(version: number, made: MadeSnapshot | undefined, done: (bytes: number | undefined) => void): void {
    this.effects.fold(this.actor, version, made, done);
  }

  merge(updates: readonly Uint8Array[], done: (merged: Uint8Array | undefined) => void): void {
    this.effects.merge(this.actor, updates, done);
  }

  presenceChanged(): void {
    this.effects.presenceChanged(this.actor);
  }

  get rooms(): Rooms {
    return this.effects.rooms;
  }

  get mustYield(): boolean {
    return this.effects.mustYield;
  }

  later(act: () => void): void {
    this.effects.later(this.actor, act);
  }

  next(act: () => void): void {
    this.effects.next(this.actor, act);
  }

  postponed(item: Arrived): void {
    this.effects.postponed(this.actor, item);
  }

  settled(item: Arrived): void {
    this.effects.settled(item);
  }

  wantTurn(): void {
    this.effects.wantTurn(this.actor);
  }
}
