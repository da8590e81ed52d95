// The local copy of a `yjs` document: a Y.Doc that the application edits, and the updates that the server
// does not have yet. Owns queueing, merging and undo; Yjs itself resolves concurrent edits.
import * as Y from 'yjs';
import { wireBytes } from '../../protocol/codec.ts';
import type { Wire } from '../../protocol/messages.ts';
import type { ChangeOrigin, SharedTypes } from '../api.ts';
import {
  type Discarded,
  type FlightFate,
  type Lost,
  NOTHING_DISCARDED,
  type Replica,
  ReplicaError,
} from '../document/replica.ts';

export interface YjsHooks {
  /** The largest patch that may be sent, in bytes. */
  updateBytes(): number;
  changed(origin: ChangeOrigin, update: Uint8Array): void;
  /** `canUndo` or `canRedo` may have changed. */
  history(): void;
}

/** The origin of transactions that bring others' updates. */
class FromServer {}

/** Every edit made here can be undone here, for every origin that the application's bindings give. */
class LocalOrigins extends Set<unknown> {
  readonly #server: FromServer;
  constructor(server: FromServer) {
    super();
    this.#server = server;
  }
  override has(origin: unknown): boolean {
    return origin !== this.#server && origin !== FromServer;
  }
}

interface Entry {
  updates: Uint8Array[];
  /** The number of the first edit in it. */
  readonly edit: number;
  /** An upper bound of the updates' size when merged, in bytes. */
  bytes: number;
}

/** Merging stops at this share of the largest patch. */
const MERGE_SHARE = 0.5;
const GROUP_MS = 500;

export class YjsReplica implements Replica<Uint8Array> {
  readonly versioned = false;
  readonly irrevocable = true;
  readonly doc: Y.Doc;
  readonly #hooks: YjsHooks;
  readonly #server = new FromServer();
  #undo: Y.UndoManager;
  #loaded = false;
  #queue: Entry[] = [];
  #flying = false;
  #edits = 0;

  constructor(hooks: YjsHooks) {
    this.#hooks = hooks;
    this.doc = new Y.Doc();
    this.#undo = this.#newUndo(this.doc);
    this.doc.on('update', (update: Uint8Array, origin: unknown) => this.#updated(update, origin));
  }

  get loaded(): boolean {
    return this.#loaded;
  }
  get pending(): boolean {
    return this.#queue.length > 0;
  }
  get edits(): number {
    return this.#edits;
  }
  get oldestPending(): number | undefined {
    return this.#queue[0]?.edit;
  }
  /** Bytes that wait, before merging. */
  get pendingBytes(): number {
    return this.#queue.reduce((sum, entry) => sum + entry.bytes, 0);
  }
  get undoManager(): Y.UndoManager {
    return this.#undo;
  }

  undoScope(types: SharedTypes): void {
    this.#undo.destroy();
    this.#undo = this.#newUndo(types);
    this.#hooks.history();
  }

  destroy(): void {
    this.#undo.destroy();
  }

  #newUndo(scope: Y.Doc | SharedTypes): Y.UndoManager {
    const undo = new Y.UndoManager(scope, {
      doc: this.doc,
      captureTimeout: GROUP_MS,
      // Asking a Y.Doc for one of its types is a transaction that may change nothing: then there is nothing
      // to undo.
      captureTransaction: ({ changed }) => changed.size > 0,
      trackedOrigins: new LocalOrigins(this.#server),
    });
    undo.on('stack-item-added', () => this.#hooks.history());
    undo.on('stack-item-popped', () => this.#hooks.history());
    undo.on('stack-cleared', () => this.#hooks.history());
    return undo;
  }

  #updated(update: Uint8Array, origin: unknown): void {
    if (origin === this.#server) {
      this.#hooks.changed('remote', update);
      return;
    }
    this.#enqueue(update);
    const own: ChangeOrigin = origin !== this.#undo ? 'edit' : this.#undo.undoing ? 'undo' : 'redo';
    this.#hooks.changed(own, update);
  }

  #enqueue(update: Uint8Array): void {
    this.#edits++;
    const last = this.#queue.at(-1);
    const open = last !== undefined && !(this.#flying && this.#queue.length === 1);
    if (!open || !this.#join(last, update))
      this.#queue.push({ updates: [update], edit: this.#edits, bytes: update.length });
  }

  #join(last: Entry, update: Uint8Array): boolean {
    const most = this.#hooks.updateBytes() * MERGE_SHARE;
    if (last.bytes + update.length > most) {
      const merged = merge(last);
      if (merged.length + update.length > most) return false;
      last.updates = [merged];
      last.bytes = merged.length;
    }
    last.updates.push(update);
    last.bytes += update.length;
    return true;
  }

  fly(): Wire | undefined {
    const head = this.#queue[0];
    if (head === undefined) return undefined;
    this.#flying = true;
    return merge(head);
  }

  foreign(op: Wire, _author: string, version: number): Discarded<Uint8Array> {
    this.#apply(op, `version ${version}`);
    return NOTHING_DISCARDED;
  }

  own(_op: Wire, _author: string, _version: number): Discarded<Uint8Array> {
    this.#land();
    return NOTHING_DISCARDED;
  }

  discard(why: 'refused' | 'duplicate'): Discarded<Uint8Array> {
    const head = this.#flying ? this.#queue[0] : undefined;
    this.#land();
    return head === undefined || why === 'duplicate'
      ? NOTHING_DISCARDED
      : { flight: lost(head), followers: [] };
  }

  load(snapshot: Wire, version: number, flight: FlightFate, sameHistory: boolean): Discarded<Uint8Array> {
    const first = !this.#loaded;
    const bytes = this.#apply(snapshot, `the snapshot of version ${version}`);
    this.#loaded = true;
    if (flight === 'committed') this.#land();
    // Sending an update twice does no harm, so the fate of the flight does not matter.
    if (flight === 'unknown') this.#flying = false;
    if (first || sameHistory) return NOTHING_DISCARDED;
    // Another life of the document may lack edits that were committed in the last life.
    const oldest = this.oldestPending;
    this.#flying = false;
    this.#queue = [];
    const missing = Y.encodeStateAsUpdate(this.doc, Y.encodeStateVectorFromUpdate(bytes));
    // Edits that were saved in the last life are not saved in this one: they become one new edit of this
    // client.
    this.#edits++;
    this.#queue.push({ updates: [missing], edit: oldest ?? this.#edits, bytes: missing.length });
    return NOTHING_DISCARDED;
  }

  giveUp(): Discarded<Uint8Array> {
    const [first, ...others] = this.#queue.map(lost);
    const flying = this.#flying;
    this.#queue = [];
    this.#flying = false;
    if (first === undefined) return NOTHING_DISCARDED;
    return flying
      ? { flight: first, followers: others }
      : { flight: undefined, followers: [first, ...others] };
  }

  #apply(wire: Wire, what: string): Uint8Array {
    const bytes = wireBytes(wire);
    if (bytes === undefined) throw new ReplicaError(`${what} is no bytes`);
    try {
      Y.applyUpdate(this.doc, bytes, this.#server);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ReplicaError(`${what} does not apply: ${why}`);
    }
    return bytes;
  }

  #land(): void {
    if (this.#flying) this.#queue.shift();
    this.#flying = false;
  }
}

const lost = (entry: Entry): Lost<Uint8Array> => ({ patch: merge(entry), edit: entry.edit });

const merge = ({ updates }: Entry): Uint8Array => {
  const [only] = updates;
  return updates.length === 1 && only !== undefined ? only : Y.mergeUpdates(updates);
};
