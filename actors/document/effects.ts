// The effects that a document's actor asks of its host, and the limits within which it works. This file has
// only shapes. host/actor-effects.ts carries the effects out.
import type { Fit, KindLimits } from '../../kinds/kind.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Folded } from '../compute/fold.ts';
import type { ToGateway } from '../link/link-messages.ts';
import type { ClientSeqs, Creation, LoadedDocument, NewSnapshot, StoredDelta } from '../storage/store.ts';
import type { MailboxLimits, WaitingRoom } from '../turns/mailbox.ts';
import type { Arrived } from './actor.ts';
import type { Document } from './document.ts';
import type { Entry } from './entry.ts';

export interface ActorLimits extends KindLimits {
  /** Largest frame that a client must be able to take. Frames of many patches stay well below it. */
  readonly receiveBytes: number;
  /** Patches kept in memory once durable, for transforming and for resuming. */
  readonly residentOps: number;
  /** Patches fetched at once to transform one submit past them. */
  readonly historyOps: number;
  /** Most bytes of patches, dropped from memory, past which one submit is transformed. */
  readonly historyBytes: number;
  /** Bytes of patches kept in memory once durable. The smaller of this limit and `residentOps` applies. */
  readonly residentBytes: number;
  readonly mailbox: MailboxLimits;
  /** A snapshot is due when the log since the last one exceeds max(minBytes, ratio x snapshot). */
  readonly snapshotMinBytes: number;
  readonly snapshotRatio: number;
}

export interface LoadedFromStore {
  readonly document: Document;
  readonly loaded: LoadedDocument;
  /** The mark of the call that created the document. '' if no call did. */
  readonly creation: string;
}

export type LoadResult =
  | (LoadedFromStore & { readonly type: 'loaded' })
  | { readonly type: 'missing' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };

/**
 * A change to whether the document exists. The store keeps the mark of the latest one, so a change that comes twice is
 * made once.
 */
export type Change =
  | { readonly type: 'remove'; readonly mark: string; readonly user?: string }
  | { readonly type: 'bringBack'; readonly mark: string; readonly trashMs: number; readonly user?: string };

/**
 * `none`: there is no document to delete, or none to bring back. `exists`: the name is in use. `failed`: the store is
 * out of reach, or the session is over.
 */
export type ChangeResult =
  | { readonly type: 'changed'; readonly id: number }
  | { readonly type: 'none' }
  | { readonly type: 'exists' }
  | { readonly type: 'failed' };

/** A snapshot made by its actor. The host knows the epoch under which its version was committed. */
export type MadeSnapshot = Pick<NewSnapshot, 'previous' | 'logged' | 'state' | 'clients'>;

/** Undefined if the store is out of reach. */
export type HistoryAnswer = readonly StoredDelta[] | undefined;
export type ClientSeqsAnswer = ClientSeqs | undefined;

/**
 * The effects of one actor. Answers come later through the callback, never within the call. A dropped actor
 * ignores them.
 */
export interface DocumentEffects {
  send(link: number, message: ToGateway): void;
  /**
   * `append` logs a patch; the host then calls `durableTo`, or resets the actor. `full` is true if too much
   * is waiting for the store.
   */
  readonly full: boolean;
  append(entry: Entry, user: string, stored: Uint8Array): void;
  /** With `create` the document is created if it does not exist. */
  load(create: Creation | undefined, done: (result: LoadResult) => void): void;
  /**
   * Deletes the document, or brings it back. The actor has nothing under way that the store does not have, and begins
   * nothing meanwhile.
   */
  change(change: Change, done: (result: ChangeResult) => void): void;
  history(after: number, upTo: number, maxBytes: number, done: (deltas: HistoryAnswer) => void): void;
  /**
   * `then` runs once these bytes of the worker's memory for history are reserved, at once or later;
   * `release` frees them. False if too many requests wait.
   */
  reserve(bytes: number, then: (release: () => void) => void): boolean;
  clientSeqs(client: string, upTo: number, done: (found: ClientSeqsAnswer) => void): void;
  /** The version is 0 if the seq did not commit, undefined if the store is out of reach. */
  seqVersion(client: string, seq: number, done: (version: number | undefined) => void): void;
  /**
   * `then` runs once the database has seen this session live, at a time after this call. It never runs if
   * the session is fenced. While the database is out of reach it is asked again, or `outOfReach` is called
   * once.
   */
  whenLive(then: () => void, outOfReach?: () => void): void;
  /**
   * Writes a snapshot at `version`, which is durable: the snapshot `made`, or one folded from the log on
   * another thread. `done` gets the snapshot in the store, or undefined if none was written.
   */
  fold(version: number, made: MadeSnapshot | undefined, done: (folded: Folded | undefined) => void): void;
  /**
   * Tells how far a patch, as JSON text, applies to the document at the version `base`. Another thread folds that
   * document. `done` gets undefined if that failed.
   */
  fitAt(base: number, op: Uint8Array, done: (fit: Fit | undefined) => void): void;
  /** Merges many Yjs updates into one on another thread. `done` gets undefined if that failed. */
  merge(updates: readonly Uint8Array[], done: (merged: Uint8Array | undefined) => void): void;
  /**
   * Cuts what peers with these state vectors lack out of a Yjs update, on another thread. `done` gets the parts in the
   * order of the vectors, undefined if that failed. The caller asks for one job of a document at a time.
   */
  diff(
    update: Uint8Array,
    vectors: readonly Uint8Array[],
    done: (parts: readonly Uint8Array[] | undefined) => void,
  ): void;
  /**
   * Writes a JSON text as MessagePack on another thread. `done` gets undefined if that failed. The caller
   * asks for one text of a document at a time.
   */
  pack(json: Uint8Array, done: (packed: Uint8Array | undefined) => void): void;
  /**
   * Sends an encoded snapshot over a link, once for all its subscribers. `then` runs when the other end has
   * all of it before every later message. False if too many subscribers wait, or if the link is gone.
   */
  share(link: number, bytes: Uint8Array, then: () => void): boolean;
  /** The number of a snapshot that the other end of the link has. Undefined if it does not have it. */
  sharedNumber(link: number, bytes: Uint8Array): number | undefined;
  presenceChanged(): void;
  /** The rooms in which this actor's messages wait together with those of all documents of the worker. */
  readonly rooms: Rooms;
  /** True if other documents wait: leave the rest of a piece of work with several parts to `later`. */
  readonly mustYield: boolean;
  /** Runs `act` in a turn of this actor, before the messages that wait for a turn. */
  later(act: () => void): void;
  /** Runs `act` in a turn of this actor, before everything else of it that waits for a turn. */
  next(act: () => void): void;
  /** Reports that a message waits for the actor's turn. */
  postponed(item: Arrived): void;
  /** Reports that the message no longer waits. */
  settled(item: Arrived): void;
  /** Reports that messages in the mailbox wait for nothing but a turn. */
  wantTurn(): void;
}

export interface Rooms {
  /** For messages that wait for the load. */
  readonly loads: WaitingRoom;
  /** For messages that wait for a turn. */
  readonly turns: WaitingRoom;
}
