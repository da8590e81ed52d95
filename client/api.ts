// The SDK's public types: a client, its documents and their events, as an application sees them. Holds shapes
// and promises only; the files that implement them own the behaviour.

import type * as Y from 'yjs';
import type { Json, KindName, Role } from '../protocol/messages.ts';
import type { ConnectionFailure } from './connection/failure.ts';
import type { Listenable } from './emitter.ts';
import type { TroupeError } from './errors.ts';
import type { Delta } from './ot/delta.ts';
import type { Platform, WebSocketConstructor } from './platform.ts';

/**
 * A JWT, or a function that is called for one: `connect` before each connect, `expired` when the last one is about to
 * end, has ended, or was refused; then a new one is needed. With undefined the client connects without a token.
 */
export type TokenSource =
  | string
  | ((reason: 'connect' | 'expired') => string | undefined | Promise<string | undefined>);

export interface ClientOptions {
  /** `ws://` or `wss://` URLs of `/v1/socket`. The client tries them in turn, beginning at any of them. */
  urls: readonly string[];
  /**
   * Whether the addresses of other nodes, as a server announces them, are tried too when `urls` fail: all,
   * none, or those for which the function returns true (its argument is the URL of the socket). Default true.
   */
  nodes?: boolean | ((url: string) => boolean);
  token?: TokenSource;
  /** Default: the global WebSocket. In Node 20: the `ws` package's. */
  webSocket?: WebSocketConstructor;
  /** 8 to 64 of `[A-Za-z0-9_-]`. Default: random. Never keep it in storage that a duplicated tab copies. */
  clientId?: string;
  /** Default: msgpack if a `yjs` document is open when connecting, json otherwise. */
  encoding?: 'json' | 'msgpack';
  /** Begin offline; `goOnline()` connects. Default false. */
  offline?: boolean;
  /**
   * Time after which a document's `ready` is rejected with `unavailable`; the document goes on trying.
   * Default: never.
   */
  readyTimeoutMs?: number;
  /** Unsent edits that one document may hold, bytes as sent. Past it `edit` throws `overloaded`. Default 8 MiB. */
  pendingBytes?: number;
  /** Time, randomness and timers, for tests. */
  platform?: Platform;
}

/**
 * `connecting`: on the way to a server, or waiting to try again. `live`: the server has sent `welcome`.
 * `offline`: by `goOffline()`, `close()`, or a refusal that only a new token or a new version can end.
 */
export type ClientState = 'connecting' | 'live' | 'offline';

export interface ClientEvents {
  state: ClientState;
  /**
   * An attempt to connect failed or the connection was lost; has the reason and the time of the next attempt.
   */
  failed: ConnectionFailure;
  /** Failures that belong to no document. Refusals leave the client `offline`. */
  error: TroupeError;
  /** The server is leaving; the client comes back by itself after about `reconnectInMs`. */
  draining: { reconnectInMs: number };
}

/**
 * `connecting`: not subscribed yet, or about to be again. `live`: subscribed, no edit made here so far.
 * `saving`: subscribed, edits are under way. `saved`: subscribed, and every edit made here is durable on the
 * server. `offline`: not connected; once the content has arrived, edits are kept and sent later. `closed`:
 * over, for good.
 */
export type DocumentState = 'connecting' | 'live' | 'saving' | 'saved' | 'offline' | 'closed';

/**
 * The origin of a change of the view. `edit`: a call of `edit()`, so the caller has the change already.
 * `undo`, `redo`: those calls. `remote`: an edit of another client. `correction`: the server decided
 * otherwise than predicted, refused an edit, or sent the document anew.
 */
export type ChangeOrigin = 'edit' | 'undo' | 'redo' | 'remote' | 'correction';

/** An edit of this client that the server did not take, or may not have taken. */
export interface Rejection<Patch> {
  error: TroupeError;
  /** The lost patch, as it was sent (if it was). */
  patch: Patch;
  /** `unknown`: the edit was sent, and the server no longer knows whether it was committed. */
  outcome: 'not-committed' | 'unknown';
}

export interface DocumentEvents<Change, Patch> {
  state: DocumentState;
  change: Change;
  rejected: Rejection<Patch>;
  role: Role;
  /** `canUndo` or `canRedo` changed. */
  history: { canUndo: boolean; canRedo: boolean };
  /** Others' selections, or their positions in the view, changed. For `rich-text` alone. */
  cursors: ReadonlyMap<string, Cursor>;
  /**
   * The subscription failed or an open request was answered with an error; final errors close the document.
   */
  error: TroupeError;
  /** By `close()`: no code. `deleted`, `forbidden`, `replaced`: by the server. */
  closed: { code?: string; message?: string };
}

export interface PresenceEvents {
  /** Others' states that changed; null means gone. */
  change: ReadonlyMap<string, Json>;
}

/**
 * The states of the other clients that have set one; a client without a state is not seen. Best effort: a
 * state goes with its client. Shared by all holders of the document in this client.
 */
export interface Presence extends Listenable<PresenceEvents> {
  /** States of the others, by client id. A new map after each change; do not alter it. */
  readonly states: ReadonlyMap<string, Json>;
  /** This client's own state, as last set. */
  readonly own: Json;
  /**
   * Replaces this client's state; null removes it. Sent at most `limits.presencesPerSecond` times a
   * second (the last one wins), and again after each reconnect. Throws `too-large` above `limits.presenceBytes`.
   */
  set(data: Json): void;
}

export interface SharedDocument<Change, Patch> extends Listenable<DocumentEvents<Change, Patch>> {
  /** `org/doc`. */
  readonly name: string;
  readonly kind: KindName;
  readonly state: DocumentState;
  /**
   * Fulfilled when the content has first arrived; rejected with a TroupeError if it will never arrive, or not
   * within `readyTimeoutMs`.
   */
  readonly ready: Promise<void>;
  /** The newest version applied to this copy. */
  readonly version: number;
  /** Undefined until `ready`. */
  readonly role: Role | undefined;
  /** Whether edits made here are not yet known to be durable, in any state. */
  readonly pending: boolean;
  readonly presence: Presence;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /**
   * Takes back this client's last group of edits and keeps the edits of all others. Returns false if there is
   * nothing to undo.
   */
  undo(): boolean;
  redo(): boolean;
  /** Makes the next edit begin a new undo group. Otherwise edits less than 500 ms apart are one group. */
  undoGroup(): void;
  /**
   * Fulfilled when every edit that this client has made here so far is durable on the server, at once if no
   * edit is pending. Rejected with a TroupeError when one of them is refused or given up. Waits while
   * offline.
   */
  whenSaved(): Promise<void>;
  /**
   * Ends this hold on the document; the client leaves the document with the last hold. Edits that are pending
   * then are given up, unless the hold is closed with `{when: 'saved'}`: then no more edits are taken, the
   * document is left once `whenSaved()` is settled, and the returned promise settles the same way.
   */
  close(options?: { when?: 'now' }): void;
  close(options: { when: 'saved' }): Promise<void>;
}

/** A range of the view, in UTF-16 code units. */
export interface Range {
  index: number;
  length: number;
}

export interface RichTextChange {
  origin: ChangeOrigin;
  /** The change from the previous view to the view now: pass it to the editor unless `origin` is `edit`. */
  delta: Delta;
}

export interface Cursor extends Range {
  /** The client's presence data. */
  data: Json;
}

export type DeltaLike = Delta | { ops: Delta['ops'] } | Delta['ops'];

export interface RichTextDocument extends SharedDocument<RichTextChange, Delta> {
  readonly kind: 'rich-text';
  /**
   * The view: the document with the pending edits. A new Delta after each change; do not alter it. Throws
   * TroupeError `not-open` before `ready`.
   */
  readonly content: Delta;
  /**
   * Applies a delta made on the view and sends it. Throws TroupeError: `not-open` (before `ready`, or closed),
   * `forbidden` (role), `bad-op`, `conflict` (does not fit the view), `too-large`, `overloaded` (`pendingBytes`).
   */
  edit(delta: DeltaLike): void;
  /** Shares this client's selection along with its presence; null hides it. */
  setSelection(range: Range | null): void;
  /** Others' selections in the view as it is now; they move along with edits. A new map after each change. */
  readonly cursors: ReadonlyMap<string, Cursor>;
  /** The new place of a position of the view after a change (as of `change.delta`). */
  transformPosition(position: number, delta: Delta): number;
}

/** One step of an RFC 6902 JSON Patch. */
export type JsonStep =
  | { op: 'add' | 'replace' | 'test'; path: string; value: Json }
  | { op: 'remove'; path: string }
  | { op: 'move' | 'copy'; from: string; path: string };

export interface JsonChange {
  origin: ChangeOrigin;
  /** The change from the previous view to the view now. May take pending edits back and set them again. */
  patch: readonly JsonStep[];
}

export interface JsonDocument extends SharedDocument<JsonChange, readonly JsonStep[]> {
  readonly kind: 'json';
  /**
   * The view: the document with the pending edits. A new value after each change; do not alter it. Throws
   * TroupeError `not-open` before `ready`.
   */
  readonly content: Json;
  /** Applies a patch made on the view, whole or not at all, and sends it. Throws as for rich-text, and `test-failed`. */
  edit(patch: readonly JsonStep[]): void;
}

export interface YjsChange {
  origin: ChangeOrigin;
  /** A Yjs update. The Y.Doc has it already. */
  update: Uint8Array;
}

/** A list of Yjs shared types, as Y.UndoManager takes it. */
export type SharedTypes = Extract<ConstructorParameters<typeof Y.UndoManager>[0], unknown[]>;

export interface YjsDocument extends SharedDocument<YjsChange, Uint8Array> {
  readonly kind: 'yjs';
  /**
   * The document. Edit it as any Y.Doc; its updates are observed and sent, also those made before `ready`.
   */
  readonly content: Y.Doc;
  /** Sets the shared types that `undo()` covers. Default: the whole document. */
  undoScope(types: SharedTypes): void;
}

export interface DocumentsByKind {
  'rich-text': RichTextDocument;
  json: JsonDocument;
  yjs: YjsDocument;
}
