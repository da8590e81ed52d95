// The messages between a gateway and the owner of a document over a link. The owner is a worker thread of
// this node or a peer node. Messages are tuples, because each edit crosses a link twice.
//
// A channel is one document as one gateway sees it. A subscription is one socket that has
// it open. Both are numbers that the gateway gives and never uses again on the same link. Messages of one
// channel arrive in the order sent.
import type { ErrorCode, FinalSubmitCode } from '../../protocol/errors.ts';
import type { KindName, Role } from '../../protocol/messages.ts';
import type { OwnerAnswer, OwnerCall } from './calls.ts';

/** The subprotocol of frames. */
export const JSON_FRAMES = 0;
export const MSGPACK_FRAMES = 1;
export type FrameCodec = typeof JSON_FRAMES | typeof MSGPACK_FRAMES;
/**
 * No frames: the updates of a yjs document as they are, for a subscriber that speaks a protocol of Yjs. Its gateway makes
 * the frames.
 */
export const UPDATES = 2;
/** The form in which a subscriber is told of patches. */
export type SubscriberCodec = FrameCodec | typeof UPDATES;

/** JSON text as JSON.stringify writes it. For a yjs update: its base64 in quotes. */
export const JSON_OP = 0;
/** JSON text in any other form: with spaces, or with repeated keys, of which the last counts. */
export const LOOSE_JSON_OP = 1;
/** A value in MessagePack. */
export const MSGPACK_OP = 2;
/** A yjs update. */
export const UPDATE_OP = 3;
/** No patch but the reason for which the gateway refused one: a code and a sentence. */
export const REFUSED_OP = 4;
/**
 * A yjs update of which the document may have a part, or all. Only what the document lacks is committed. If it lacks
 * nothing, the submit takes no version, and the answer is `ACK` with the version at which everything in it is durable.
 */
export const SYNC_OP = 5;
/** As SYNC_OP, from a client that may only read: `forbidden` if the document lacks anything in the update. */
export const CHECK_OP = 6;

export type OpEncoding =
  | typeof JSON_OP
  | typeof LOOSE_JSON_OP
  | typeof MSGPACK_OP
  | typeof UPDATE_OP
  | typeof REFUSED_OP
  | typeof SYNC_OP
  | typeof CHECK_OP;

/**
 * A patch crossing the link, as the bytes that came in its frame. Its values are those that the contract allows;
 * the owner decodes them.
 */
export type LinkOp = readonly [encoding: OpEncoding, bytes: Uint8Array];

/** A patch that is JSON text, as JSON.stringify writes it. */
export const jsonOp = (text: string): LinkOp => [JSON_OP, Buffer.from(text)];

/**
 * Returns what replaces a patch that the gateway found wrong, so that the owner answers and burns its seq like
 * any other.
 */
export const refusedOp = (code: FinalSubmitCode, message: string): LinkOp => [
  REFUSED_OP,
  Buffer.from(`${code} ${message}`),
];

/** The message of `forbidden` for a patch of a client that may only read. */
export const READ_ONLY = 'only an editor or an owner may edit this document';

/** The reason for which the gateway refused the patch. Undefined if `op` is a patch. */
export function refusalOf([encoding, bytes]: LinkOp):
  | { readonly code: FinalSubmitCode; readonly message: string }
  | undefined {
  if (encoding !== REFUSED_OP) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  const end = text.indexOf(' ');
  return { code: text.slice(0, end) as FinalSubmitCode, message: text.slice(end + 1) };
}

export const OPEN = 1;
export const SUBMIT = 2;
export const PRESENCE = 3;
export const CLOSE = 4;
export const PULL = 5;
export const CALL = 6;
export const STATELESS = 7;

export interface OpenRequest {
  /** A valid `org/doc`. */
  readonly doc: string;
  readonly client: string;
  readonly user: string;
  readonly role: Role;
  readonly codec: SubscriberCodec;
  /** The kind with which to create the document if it does not exist. */
  readonly kind?: KindName;
  readonly since?: number;
  readonly history?: string;
  /**
   * A Yjs state vector: the subscriber gets what it lacks in place of a snapshot. Only with `UPDATES`, where it is empty
   * if left out, and where `since` counts only with `resume`.
   */
  readonly vector?: Uint8Array;
  /** The subscription of the same socket that this one takes over. Work under way for it goes on. */
  readonly replaces?: number;
  /** Echoed in `opened`. */
  readonly id?: string | number;
  /**
   * The gateway takes up a subscription that it already has. It gets no `opened` frame, only the patches
   * after `since`.
   */
  readonly resume?: true;
  /** When the client asked for the document, in ms since 1970 by its gateway's clock. */
  readonly askedAt?: number;
  /** The gateway has asked an earlier owner for this subscription before. */
  readonly again?: true;
}

export type ToOwner =
  | [tag: typeof OPEN, channelId: number, subscriptionId: number, request: OpenRequest]
  /** A base of -1 stands for the head on arrival. */
  | [tag: typeof SUBMIT, channelId: number, subscriptionId: number, seq: number, base: number, op: LinkOp]
  /** JSON text of the state. Null removes it. */
  | [tag: typeof PRESENCE, channelId: number, subscriptionId: number, data: string | null]
  /** A message to the other subscribers of updates. It is passed on at once, and kept nowhere. */
  | [tag: typeof STATELESS, channelId: number, subscriptionId: number, payload: string]
  | [tag: typeof CLOSE, channelId: number, subscriptionId: number]
  /** The subscriber has taken its last catch-up chunk and asks for the next one. */
  | [tag: typeof PULL, channelId: number, subscriptionId: number]
  /** Needs no channel. `doc` is a valid name; `op` is the patch of a `write`, or of a `create` that has one. */
  | [tag: typeof CALL, callId: number, doc: string, call: OwnerCall, op: LinkOp | null];

export const OPENED = 11;
export const COMMIT = 12;
export const ACK = 13;
export const REFUSED = 14;
export const STATES = 15;
export const CLOSED = 16;
export const OPEN_FAILED = 17;
export const RESET = 18;
export const LOST = 19;
export const NOT_OWNER = 20;
export const SNAPSHOT = 21;
export const FORGET = 22;
export const ANSWER = 23;
export const STATELESS_FROM = 24;

/** The part of an `OPENED` that only a subscriber of `UPDATES` gets, beside the updates. */
export interface OpenedState {
  /** The document's state vector, with all updates of the answer. Empty if the subscription is resumed. */
  readonly vector: Uint8Array;
  /** The presence of the others, as in STATES. */
  readonly states: readonly (string | null)[];
}

export type ToGateway =
  /**
   * Frames for one subscriber, in order: `opened` and catch-up commits. `version` is the last version that
   * they carry. `seqs` are this client's own seqs among them. With `complete` the subscriber takes the
   * channel's commits from here on; otherwise the gateway pulls. `lastSeq` is
   * the client's highest seq that had committed at `opened`, 0 if that is not known. With `shared` the first two entries of
   * `frames` are the beginning and the end of one frame, and the snapshot of that number stands between them. For a
   * subscriber of `UPDATES`, `frames` are updates, to be applied in order, and the shared snapshot is one more update
   * before them. `present` has the clients whose presence the frames show, if the link has not been told of them before.
   */
  | [
      tag: typeof OPENED,
      channelId: number,
      subscriptionId: number,
      frames: readonly Uint8Array[],
      version: number,
      history: string,
      seqs: readonly number[],
      complete: boolean,
      lastSeq: number,
      shared?: number | null,
      state?: OpenedState | null,
      present?: readonly string[],
    ]
  /**
   * One frame per codec that this link's subscribers use. `acks` has subscriptionId, seq, subscriptionId, seq … of the authors on
   * this link. `updates` has the updates of the commit, in order, if this link has subscribers of `UPDATES`.
   */
  | [
      tag: typeof COMMIT,
      channelId: number,
      version: number,
      json: Uint8Array | null,
      msgpack: Uint8Array | null,
      acks: readonly number[],
      updates?: readonly Uint8Array[],
    ]
  | [tag: typeof ACK, channelId: number, subscriptionId: number, seq: number, version: number]
  /**
   * A submit that did not commit. It was rejected or left open; the error codes are those of the contract.
   */
  | [
      tag: typeof REFUSED,
      channelId: number,
      subscriptionId: number,
      seq: number,
      code: ErrorCode,
      message: string,
    ]
  /** Alternating client, and JSON text or null. */
  | [tag: typeof STATES, channelId: number, states: readonly (string | null)[]]
  /** A message for all subscribers of updates but its author, whose number is 0 if the author has another link. */
  | [tag: typeof STATELESS_FROM, channelId: number, authorId: number, payload: string]
  | [
      tag: typeof CLOSED,
      channelId: number,
      subscriptionId: number,
      code: 'deleted' | 'forbidden' | 'replaced',
    ]
  /** `retryAfterMs` is the time for which a retry would be in vain. 0 or absent if it is not known. */
  | [
      tag: typeof OPEN_FAILED,
      channelId: number,
      subscriptionId: number,
      code: ErrorCode,
      message: string,
      retryAfterMs?: number,
    ]
  /**
   * The owner has dropped the document with everything that was not durable. The gateway opens it again
   * with `since` and sends unanswered submits again.
   */
  | [tag: typeof RESET, channelId: number]
  /**
   * The owner cannot bring this subscriber further without a gap. Its socket must open the document afresh.
   */
  | [tag: typeof LOST, channelId: number, subscriptionId: number]
  /**
   * This owner does not own the document's shard, or no longer does. It has forgotten the channel and all
   * messages that were sent over it. The gateway asks the router again and opens the document there.
   */
  | [tag: typeof NOT_OWNER, channelId: number]
  /**
   * The next piece of a large snapshot, encoded as it stands in a frame. The number belongs to the link and
   * is never used again. All pieces come before the first `OPENED` that refers to the number.
   */
  | [tag: typeof SNAPSHOT, number: number, piece: Uint8Array]
  /** No later `OPENED` refers to this snapshot. */
  | [tag: typeof FORGET, number: number]
  /** Answers a CALL. `content` has the content that the answer speaks of, unless it is shared. */
  | [tag: typeof ANSWER, callId: number, answer: OwnerAnswer, content: Uint8Array | null];
