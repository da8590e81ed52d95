// What a gateway and the owner of a document say to each other over a link, whether the owner is a
// worker thread of this node or a peer node. Tuples, because each edit crosses a link twice.
//
// A channel (`chan`) is one document as one gateway sees it; a subscription (`sub`) is one socket
// that has it open. Both are numbers that the gateway gives, never reused on a link.
// Messages of one channel arrive in the order sent.
import type { ErrorCode, FinalSubmitCode } from '../protocol/errors.ts';
import type { KindName, Role } from '../protocol/messages.ts';

/** The subprotocol of a subscriber: which encoding its frames have. */
export const JSON_FRAMES = 0;
export const MSGPACK_FRAMES = 1;
export type FrameCodec = typeof JSON_FRAMES | typeof MSGPACK_FRAMES;

/** A patch crossing the link: JSON text, or the bytes of a yjs update. */
export type LinkOp = string | Uint8Array;

/** Before the code of what stands in place of a patch; no JSON text begins so. */
const REFUSAL = '!';

/** What goes on in place of a patch that the gateway found wrong, so that its seq is answered and burnt like any other. */
export const refusedOp = (code: FinalSubmitCode, message: string): LinkOp => `${REFUSAL}${code} ${message}`;

/** Why the gateway refused it; undefined: it is a patch. */
export function refusalOf(
  op: LinkOp,
): { readonly code: FinalSubmitCode; readonly message: string } | undefined {
  if (typeof op !== 'string' || op[0] !== REFUSAL) return undefined;
  const end = op.indexOf(' ');
  return { code: op.slice(REFUSAL.length, end) as FinalSubmitCode, message: op.slice(end + 1) };
}

export const OPEN = 1;
export const SUBMIT = 2;
export const PRESENCE = 3;
export const CLOSE = 4;
export const PULL = 5;

export interface OpenRequest {
  /** `org/doc`, valid. */
  readonly doc: string;
  readonly client: string;
  readonly user: string;
  readonly role: Role;
  readonly codec: FrameCodec;
  /** Create it as this kind if it does not exist. */
  readonly kind?: KindName;
  readonly since?: number;
  readonly history?: string;
  /** The subscription of the same socket that this one takes over: what is under way for it goes on. */
  readonly replaces?: number;
  /** Echoed in `opened`. */
  readonly id?: string | number;
  /** The gateway takes up a subscription it already has: no `opened` frame, only what came after `since`. */
  readonly resume?: true;
  /** When the client asked for it, ms since 1970 by its gateway's clock. */
  readonly askedAt?: number;
  /** Its gateway has asked an earlier owner for it. */
  readonly again?: true;
}

export type ToOwner =
  | [tag: typeof OPEN, chan: number, sub: number, request: OpenRequest]
  /** base -1: the head on arrival. */
  | [tag: typeof SUBMIT, chan: number, sub: number, seq: number, base: number, op: LinkOp]
  /** JSON text; null removes it. */
  | [tag: typeof PRESENCE, chan: number, sub: number, data: string | null]
  | [tag: typeof CLOSE, chan: number, sub: number]
  /** The subscriber has taken its last catch-up chunk: the next one. */
  | [tag: typeof PULL, chan: number, sub: number];

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

export type ToGateway =
  /**
   * Frames for one subscriber, in order: `opened` and catch-up commits. `version`: the last one they
   * carry. `seqs`: this client's own seqs among them. `complete`: from here on it takes the
   * channel's commits; otherwise the gateway pulls.
   */
  | [
      tag: typeof OPENED,
      chan: number,
      sub: number,
      frames: readonly Uint8Array[],
      version: number,
      history: string,
      seqs: readonly number[],
      complete: boolean,
    ]
  /** One frame per codec that this link's subscribers use; `acks`: sub, seq, sub, seq … of the authors on this link. */
  | [
      tag: typeof COMMIT,
      chan: number,
      version: number,
      json: Uint8Array | null,
      msgpack: Uint8Array | null,
      acks: readonly number[],
    ]
  | [tag: typeof ACK, chan: number, sub: number, seq: number, version: number]
  /** A submit that did not commit: rejected, or open (error codes as the contract has them). */
  | [tag: typeof REFUSED, chan: number, sub: number, seq: number, code: ErrorCode, message: string]
  /** client, JSON text or null, client, … */
  | [tag: typeof STATES, chan: number, states: readonly (string | null)[]]
  | [tag: typeof CLOSED, chan: number, sub: number, code: 'deleted' | 'forbidden' | 'replaced']
  /** `retryAfterMs`: until when it would be in vain; 0 or none: it is not known. */
  | [
      tag: typeof OPEN_FAILED,
      chan: number,
      sub: number,
      code: ErrorCode,
      message: string,
      retryAfterMs?: number,
    ]
  /** The owner has dropped the document with what was not durable: open again with `since`, send again what is unanswered. */
  | [tag: typeof RESET, chan: number]
  /** This subscriber cannot be brought further without a gap: its socket must open afresh. */
  | [tag: typeof LOST, chan: number, sub: number]
  /**
   * The document's shard is not (or no longer) this owner's, and it has forgotten the channel with all
   * that was sent over it: open again where the router leads then.
   */
  | [tag: typeof NOT_OWNER, chan: number];
