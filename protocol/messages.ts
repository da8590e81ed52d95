// The messages of the wire contract as types, in both directions. This file has shapes only: codec.ts
// decodes, and the gateway and the client decide which message may be sent when.
import type { ErrorCode, FinalSubmitCode } from './errors.ts';
import type { Limits } from './limits.ts';

export type KindName = 'json' | 'rich-text' | 'yjs';
export type Role = 'viewer' | 'commenter' | 'editor' | 'owner';

/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A patch or a snapshot on the wire: JSON, or bytes for kind `yjs` (base64 text in `troupe.v1.json`). */
export type Wire = Json | Uint8Array;

export type RequestId = string | number;

export interface Hello {
  type: 'hello';
  client: string;
  token?: string;
  id?: RequestId;
}
export interface Open {
  type: 'open';
  doc: string;
  kind?: KindName;
  since?: number;
  history?: string;
  id?: RequestId;
}
/** Without `base`, the patch is made on the version that is the head when the submit arrives. */
export interface Submit {
  type: 'submit';
  doc: string;
  seq: number;
  base?: number;
  op: Wire;
}
export interface PresenceOut {
  type: 'presence';
  doc: string;
  data: Json;
  id?: RequestId;
}
export interface Close {
  type: 'close';
  doc: string;
  id?: RequestId;
}
export interface Ping {
  type: 'ping';
  id?: RequestId;
}
export type ClientMessage = Hello | Open | Submit | PresenceOut | Close | Ping;

/** A patch as it was committed, with its author's client id and seq. */
export interface CommittedOp {
  client: string;
  seq: number;
  op: Wire;
}

export interface Welcome {
  type: 'welcome';
  client: string;
  node: string;
  time: number;
  limits: Limits;
  /** Base URLs of the other nodes, such as `wss://host:port`. */
  nodes?: readonly string[];
  /** Time until the token ends. Absent if it never does. */
  expiresInMs?: number;
  id?: RequestId;
}
interface OpenedBase {
  type: 'opened';
  doc: string;
  kind: KindName;
  history: string;
  version: number;
  role: Role;
  /** The highest committed seq of this client. 0 if it has none, null if the server no longer knows. */
  lastSeq: number | null;
  presence: Record<string, Json>;
  id?: RequestId;
}
export interface OpenedSnapshot extends OpenedBase {
  snapshot: Wire;
}
/** `ops` lead from `since` to `version`. */
export interface OpenedSince extends OpenedBase {
  since: number;
  ops: CommittedOp[];
}
export type Opened = OpenedSnapshot | OpenedSince;
/** `version` is the document's version after the last of `ops`. */
export interface Commit {
  type: 'commit';
  doc: string;
  version: number;
  ops: CommittedOp[];
}
export interface Ack {
  type: 'ack';
  doc: string;
  seq: number;
  version: number;
}
export interface Reject {
  type: 'reject';
  doc: string;
  seq: number;
  code: FinalSubmitCode;
  message: string;
}
export interface PresenceIn {
  type: 'presence';
  doc: string;
  states: Record<string, Json>;
}
export interface RoleChanged {
  type: 'role';
  doc: string;
  role: Role;
}
export interface Closed {
  type: 'closed';
  doc: string;
  code?: 'deleted' | 'forbidden' | 'replaced';
  message?: string;
  id?: RequestId;
}
export interface ErrorMessage {
  type: 'error';
  code: ErrorCode;
  message: string;
  retryable: boolean;
  id?: RequestId;
  doc?: string;
  seq?: number;
  retryAfterMs?: number;
}
export interface Draining {
  type: 'draining';
  reconnectInMs: number;
}
/** Tells a client that the set of other nodes has changed. */
export interface Nodes {
  type: 'nodes';
  nodes: readonly string[];
}
export interface Pong {
  type: 'pong';
  id?: RequestId;
}
export type ServerMessage =
  | Welcome
  | Opened
  | Commit
  | Ack
  | Reject
  | PresenceIn
  | RoleChanged
  | Closed
  | ErrorMessage
  | Draining
  | Nodes
  | Pong;

export const SUBPROTOCOL_JSON = 'troupe.v1.json';
export const SUBPROTOCOL_MSGPACK = 'troupe.v1.msgpack';
