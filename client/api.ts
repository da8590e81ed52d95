// The SDK's public types: what an application sees of a client, its documents and their events.
// Behaviour is in the files that implement them; this one holds shapes and promises only.

import type * as Y from 'yjs';
import type { Json, KindName, Role } from '../protocol/messages.ts';
import type { Delta } from './delta.ts';
import type { Listenable } from './emitter.ts';
import type { TroupeError } from './errors.ts';
import type { ConnectionFailure } from './failure.ts';
import type { Platform, WebSocketConstructor } from './platform.ts';

/** A JWT, or a function that is asked for one before each connect; undefined connects without. */
export type TokenSource =
  | string
  | ((reason: 'connect' | 'expired') => string | undefined | Promise<string | undefined>);

export interface ClientOptions {
  /** `ws://` or `wss://` URLs of `/v1/socket`. Tried in turn, beginning anywhere. */
  urls: readonly string[];
  /**
   * Whether the addresses of other nodes that a server tells are tried too when `urls` fail: all, none, or those
   * for which the function says so (it is handed the URL of the socket). Default true.
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
  /** A document's `ready` is rejected with `unavailable` after so long; the document goes on trying. Default: never. */
  readyTimeoutMs?: number;
  /** Unsent edits that one document may hold, bytes as sent. Past it `edit` throws `overloaded`. Default 8 MiB. */
  pendingBytes?: number;
  /** Time, randomness and timers, for tests. */
  platform?: Platform;
}

/**
 * `connecting`: on the way to a server, or waiting to try again. `live`: the server has welcomed us.
 * `offline`: by `goOffline()`, `close()`, or a refusal that only a new token or a new version can mend.
 */
export type ClientState = 'connecting' | 'live' | 'offline';

export interface ClientEvents {
  state: ClientState;
  /** An attempt to connect failed or the connection was lost: why, and when the next attempt comes. */
  failed: ConnectionFailure;
  /** Failures that belong to no document. Refusals leave the client `offline`. */
  error: TroupeError;
  /** The server is leaving; the client comes back by itself after about `reconnectInMs`. */
  draining: { reconnectInMs: number };
}

/**
 * `connecting`: not subscribed yet, or about to be again. `live`: subscribed, no edit made here so far.
 * `saving`: subscribed, edits are under way. `saved`: subscribed, and every edit made here is durable on the
 * server. `offline`: not connected; once the content is here, edits are kept and sent later. `closed`: over, for good.
 */
export type DocumentState = 'connecting' | 'live' | 'saving' | 'saved' | 'offline' | 'closed';

/**
 * Where a change of the view comes from. `edit`: a call of `edit()`, so what called it has it already.
 * `undo`, `redo`: those calls. `remote`: others. `correction`: the server decided otherwise than
 * predicted, refused an edit, or sent the document anew.
 */
export type ChangeOrigin = 'edit' | 'undo' | 'redo' | 'remote' | 'correction';

/** An edit of this client that the server did not take, or may not have taken. */
export interface Rejection<Patch> {
  error: TroupeError;
  /** What was lost, as it was sent (if it was). */
  patch: Patch;
  /** `unknown`: sent, and the server no longer knows what became of it. */
  outcome: 'not-committed' | 'unknown';
}

export interface DocumentEvents<Change, Patch> {
  state: DocumentState;
  change: Change;
  rejected: Rejection<Patch>;
  role: Role;
  /** `canUndo` or `canRedo` changed. */
  history: { canUndo: boolean; canRedo: boolean };
  /** Others' selections changed, or where they stand. Of `rich-text` alone. */
  cursors: ReadonlyMap<string, Cursor>;
  /** The subscription failed or an open request met an error; final ones close the document. */
  error: TroupeError;
  /** By `close()`: no code. `deleted`, `forbidden`, `replaced`: by the server. */
  closed: { code?: string; message?: string };
}

export interface PresenceEvents {
  /** Others' states that changed; null = gone. */
  change: ReadonlyMap<string, Json>;
}

/**
 * The other clients that have set a state; one that has not is not seen. Best effort: states are gone when their
 * client is. Shared by all who hold the document in this client.
 */
export interface Presence extends Listenable<PresenceEvents> {
  /** States by client id of those others who have set one. A new map after each change; do not alter it. */
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
   * Fulfilled when the content is first here; rejected with a TroupeError if it never will be, or not
   * within `readyTimeoutMs`.
   */
  readonly ready: Promise<void>;
  /** The newest version applied here. */
  readonly version: number;
  /** Undefined until `ready`. */
  readonly role: Role | undefined;
  /** Whether edits made here are not yet known to be durable, in any state. */
  readonly pending: boolean;
  readonly presence: Presence;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** Takes back this client's last group of edits and keeps everyone else's. False: nothing to undo. */
  undo(): boolean;
  redo(): boolean;
  /** The next edit begins a new undo group. Otherwise edits less than 500 ms apart are one. */
  undoGroup(): void;
  /**
   * Fulfilled when every edit that this client has made here so far is durable on the server, at once where
   * nothing is pending. Rejected with a TroupeError when one of them is refused or given up. Waits while offline.
   */
  whenSaved(): Promise<void>;
  /**
   * Ends this hold on the document; the document itself is left with the last one. What is pending then is
   * given up, unless it is closed `{when: 'saved'}`: no edit is taken any more, and it is left once `whenSaved()`
   * is settled. The promise tells how.
   */
  close(options?: { when?: 'now' }): void;
  close(options: { when: 'saved' }): Promise<void>;
}

/** A range of the view: UTF-16 code units. */
export interface Range {
  index: number;
  length: number;
}

export interface RichTextChange {
  origin: ChangeOrigin;
  /** Leads from the view before to the view now: hand it to the editor unless `origin` is `edit`. */
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
   * The view, with edits that are still pending. A new Delta after each change; do not alter it.
   * Throws TroupeError `not-open` before `ready`.
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
  /** Where a position of the view stands after a change (as of `change.delta`). */
  transformPosition(position: number, delta: Delta): number;
}

/** One step of an RFC 6902 JSON Patch. */
export type JsonStep =
  | { op: 'add' | 'replace' | 'test'; path: string; value: Json }
  | { op: 'remove'; path: string }
  | { op: 'move' | 'copy'; from: string; path: string };

export interface JsonChange {
  origin: ChangeOrigin;
  /** Leads from the view before to the view now. May take pending edits back and set them again. */
  patch: readonly JsonStep[];
}

export interface JsonDocument extends SharedDocument<JsonChange, readonly JsonStep[]> {
  readonly kind: 'json';
  /**
   * The view, with edits that are still pending. A new value after each change; do not alter it.
   * Throws TroupeError `not-open` before `ready`.
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
  /** Edit it as any Y.Doc; updates are seen and sent. Changes made before `ready` are sent too. */
  readonly content: Y.Doc;
  /** Which shared types `undo()` covers. Default: the whole document. */
  undoScope(types: SharedTypes): void;
}

export interface DocumentsByKind {
  'rich-text': RichTextDocument;
  json: JsonDocument;
  yjs: YjsDocument;
}
