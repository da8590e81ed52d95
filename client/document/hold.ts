// One hold on a document of the client, as `client.open` returns it. Several holders, two components of a
// page for instance, share the document, its pending edits and its presence. Each has listeners, a `ready`
// and an end of its own. Closing the last hold leaves the document.

import type * as Y from 'yjs';
import type { Json, KindName, Role } from '../../protocol/messages.ts';
import type {
  Cursor,
  DeltaLike,
  DocumentEvents,
  DocumentState,
  JsonChange,
  JsonDocument,
  JsonStep,
  Presence,
  PresenceEvents,
  Range,
  RichTextChange,
  RichTextDocument,
  SharedDocument,
  SharedTypes,
  YjsChange,
  YjsDocument,
} from '../api.ts';
import { Emitter } from '../emitter.ts';
import { TroupeError } from '../errors.ts';
import type { Delta } from '../ot/delta.ts';
import type { JsonDocumentOfClient, RichTextDocumentOfClient } from '../ot/ot-document.ts';
import type { Timer } from '../platform.ts';
import type { YjsDocumentOfClient } from '../yjs/yjs-document.ts';
import type { DocumentBase } from './document.ts';

type Mode = 'held' | 'closing' | 'left';

const MOVES: Readonly<Record<Mode, readonly Mode[]>> = {
  held: ['closing', 'left'],
  closing: ['left'],
  left: [],
};

abstract class Hold<Change, Patch, Held extends DocumentBase<Change, Patch>>
  implements SharedDocument<Change, Patch>
{
  abstract readonly kind: KindName;
  readonly ready: Promise<void>;
  readonly presence: HeldPresence;
  protected readonly held: Held;
  readonly #events = new Emitter<DocumentEvents<Change, Patch>>();
  readonly #stops: (() => void)[] = [];
  /** Ends the hold on the document; returns whether other holds remain. */
  readonly #release: () => boolean;
  #settleReady: { resolve: () => void; reject: (error: TroupeError) => void } | undefined;
  #readyTimer: Timer | undefined;
  /** `held` takes edits; `closing` waits for them to be saved; `left` has ended. */
  #mode: Mode = 'held';

  constructor(held: Held, readyTimeoutMs: number | undefined) {
    this.held = held;
    this.#release = held.hold();
    this.presence = new HeldPresence(held.presence);
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    // Without a waiter the rejection would be uncaught; events report it.
    this.ready.catch(() => {});
    held.ready.then(
      () => this.#settle((ready) => ready.resolve()),
      (error: TroupeError) => this.#settle((ready) => ready.reject(error)),
    );
    if (readyTimeoutMs !== undefined && !held.loaded) {
      this.#readyTimer = held.platform.setTimer(() => {
        this.#settle((ready) => ready.reject(held.notReady(readyTimeoutMs)));
      }, readyTimeoutMs);
    }
    this.#forward('state');
    this.#forward('change');
    this.#forward('rejected');
    this.#forward('role');
    this.#forward('history');
    this.#forward('cursors');
    this.#forward('error');
    this.#forward('closed');
    this.#stops.push(held.on('closed', () => this.#stop()));
  }

  get name(): string {
    return this.held.name;
  }
  get state(): DocumentState {
    return this.#mode === 'left' ? 'closed' : this.held.state;
  }
  get version(): number {
    return this.held.version;
  }
  get role(): Role | undefined {
    return this.held.role;
  }
  get pending(): boolean {
    return this.held.pending;
  }
  get canUndo(): boolean {
    return this.held.canUndo;
  }
  get canRedo(): boolean {
    return this.held.canRedo;
  }
  undo(): boolean {
    return this.editable().undo();
  }
  redo(): boolean {
    return this.editable().redo();
  }
  undoGroup(): void {
    this.held.undoGroup();
  }
  whenSaved(): Promise<void> {
    return this.held.whenSaved();
  }

  on<Name extends keyof DocumentEvents<Change, Patch>>(
    name: Name,
    listener: (event: DocumentEvents<Change, Patch>[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  close(options?: { when?: 'now' }): void;
  close(options: { when: 'saved' }): Promise<void>;
  close(options: { when?: 'now' | 'saved' } = {}): undefined | Promise<void> {
    if (options.when === 'saved') {
      if (this.#mode === 'held') this.#enter('closing');
      const saved = this.held.whenSaved().finally(() => this.#leave());
      // Without a waiter the rejection would be uncaught; events report it.
      saved.catch(() => {});
      return saved;
    }
    this.#leave();
    return undefined;
  }

  /** The document, for an edit. Throws if this hold takes no edits. */
  protected editable(): Held {
    if (this.#mode === 'held') return this.held;
    throw new TroupeError('not-open', `${this.name} is closed here`);
  }

  #enter(mode: Mode): void {
    if (!MOVES[this.#mode].includes(mode))
      throw new Error(`a hold does not go from ${this.#mode} to ${mode}`);
    this.#mode = mode;
  }

  #leave(): void {
    if (this.#mode === 'left') return;
    const over = this.held.state === 'closed';
    this.#enter('left');
    if (over) return;
    const othersHold = this.#release();
    if (!othersHold) {
      // The document's end is reported to this hold too.
      this.held.close();
      return;
    }
    this.#settle((ready) => ready.reject(new TroupeError('not-open', `${this.name} was closed`)));
    this.#events.emit('state', 'closed');
    this.#events.emit('closed', {});
    this.#stop();
  }

  #forward<Name extends keyof DocumentEvents<Change, Patch>>(name: Name): void {
    this.#stops.push(this.held.on(name, (event) => this.#events.emit(name, event)));
  }

  #settle(how: (ready: { resolve: () => void; reject: (error: TroupeError) => void }) => void): void {
    if (this.#readyTimer !== undefined) this.held.platform.clearTimer(this.#readyTimer);
    this.#readyTimer = undefined;
    if (this.#settleReady !== undefined) how(this.#settleReady);
    this.#settleReady = undefined;
  }

  #stop(): void {
    if (this.#readyTimer !== undefined) this.held.platform.clearTimer(this.#readyTimer);
    this.#readyTimer = undefined;
    for (const stop of this.#stops) stop();
    this.presence.stop();
  }
}

export class RichTextHold
  extends Hold<RichTextChange, Delta, RichTextDocumentOfClient>
  implements RichTextDocument
{
  readonly kind = 'rich-text' satisfies KindName;

  get content(): Delta {
    return this.held.content;
  }
  get cursors(): ReadonlyMap<string, Cursor> {
    return this.held.cursors;
  }
  edit(delta: DeltaLike): void {
    this.editable().edit(delta);
  }
  setSelection(range: Range | null): void {
    this.held.setSelection(range);
  }
  transformPosition(position: number, delta: Delta): number {
    return this.held.transformPosition(position, delta);
  }
}

export class JsonHold
  extends Hold<JsonChange, readonly JsonStep[], JsonDocumentOfClient>
  implements JsonDocument
{
  readonly kind = 'json' satisfies KindName;

  get content(): Json {
    return this.held.content;
  }
  edit(patch: readonly JsonStep[]): void {
    this.editable().edit(patch);
  }
}

export class YjsHold extends Hold<YjsChange, Uint8Array, YjsDocumentOfClient> implements YjsDocument {
  readonly kind = 'yjs' satisfies KindName;

  get content(): Y.Doc {
    return this.held.content;
  }
  undoScope(types: SharedTypes): void {
    this.held.undoScope(types);
  }
}

/** The document's presence, with listeners that end with the hold. */
class HeldPresence implements Presence {
  readonly #held: Presence;
  readonly #events = new Emitter<PresenceEvents>();
  readonly #stop: () => void;

  constructor(held: Presence) {
    this.#held = held;
    this.#stop = held.on('change', (changed) => this.#events.emit('change', changed));
  }

  get states(): ReadonlyMap<string, Json> {
    return this.#held.states;
  }
  get own(): Json {
    return this.#held.own;
  }
  set(data: Json): void {
    this.#held.set(data);
  }
  on<Name extends keyof PresenceEvents>(
    name: Name,
    listener: (event: PresenceEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }
  stop(): void {
    this.#stop();
  }
}
