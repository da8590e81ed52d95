// The sides of a socket that speaks another protocol than the contract's, as the gateway uses them. src/yjs/ has these protocols. The
// gateway knows of them the frames that readers share, and the states of awareness.
import type { ErrorCode } from '../../protocol/errors.ts';
import type { ServerMessage } from '../../protocol/messages.ts';
import type { SharedFrames } from '../yjs/shared-frames.ts';
import type { AwarenessState } from '../yjs/wire/awareness.ts';
import type { ClientConnection } from './client-connection.ts';
import type { LargeAnswer } from './sockets/large-answers.ts';
import type { OwnerSnapshot } from './subscriptions/owner-snapshots.ts';

/** Takes the frames of one WebSocket. */
export interface Receiver {
  receive(frame: Uint8Array, isText: boolean): void;
  /** The client should come back elsewhere, after about so many ms. */
  leave(afterMs: number): void;
  /** Called about once a second while the socket is open. */
  look(): void;
  /** The connections of the documents that share the socket, if it may carry several. */
  connections?(): Iterable<ClientConnection>;
  /** The socket is closed. */
  disconnected(): void;
}

/** The part of an `opened` that a document's owner sends to a reader of updates. */
export interface OpenedUpdates {
  /** The updates that the reader lacks, behind the shared snapshot if there is one. */
  readonly updates: readonly Uint8Array[];
  readonly shared: OwnerSnapshot | undefined;
  /** The reader has all up to the head, and gets the commits from now on. */
  readonly isComplete: boolean;
  /** The reader had the document open before, and its owner has changed. */
  readonly isResumed: boolean;
  /** The document's state vector. */
  readonly vector: Uint8Array;
  /** News of the presence of others. */
  readonly states: readonly AwarenessState[];
}

/** One document of one client: its ClientConnection tells it what a client of the contract would be told. */
export interface Conversation {
  told(message: ServerMessage): void;
  /** The connection is not accepted. Instead of an end at once, it may be told so first. */
  turnedAway(code: ErrorCode, message: string): void;
  /** Frames for what the owner has opened. */
  answer(opened: OpenedUpdates): LargeAnswer;
  /** The frames have been written. */
  opened(isComplete: boolean): void;
  /** Others see the client's presence again, which was hidden while its socket was silent. */
  shown(): void;
  /** The client's own submit is durable. */
  committed(seq: number): void;
  /** Returns the bytes that were written. */
  write(frames: SharedFrames): number;
  /** A stateless message of another client. A protocol without such messages leaves it out. */
  writeStateless(frames: SharedFrames): void;
}
