// The documents whose patches are transformed, `rich-text` and `json`, as applications see them. Owns their
// events and selections; ot-replica.ts owns pending edits.

import type { JsonOp, JsonState, JsonUndo } from '../../kinds/json/json.ts';
import { equal } from '../../kinds/json/value.ts';
import type { DocumentKind } from '../../kinds/kind.ts';
import type { Runs } from '../../kinds/rich-text/rich-text.ts';
import type { Json, KindName, Wire } from '../../protocol/messages.ts';
import type {
  ChangeOrigin,
  Cursor,
  DeltaLike,
  JsonChange,
  JsonDocument,
  JsonStep,
  Range,
  RichTextChange,
  RichTextDocument,
} from '../api.ts';
import { DocumentBase, type DocumentHost } from '../document/document.ts';
import { patchBytes } from '../document/submitter.ts';
import { TroupeError } from '../errors.ts';
import { mostPatchBytes } from '../limits.ts';
import type { Platform, Timer } from '../platform.ts';
import { Cursors, outgoingSelection, rangeAfter } from './cursors.ts';
import type { Delta } from './delta.ts';
import { jsonAlgebra, toPatch } from './json-algebra.ts';
import type { OtAlgebra, OtHooks } from './ot-algebra.ts';
import { OtReplica } from './ot-replica.ts';
import { positionAfter, richTextAlgebra, type Steps, toDelta } from './rich-text-algebra.ts';
import { inWholeCodePoints } from './whole-code-points.ts';

/** A selection that moved since it was sent is sent again to a newcomer, within this time at random. */
const RETELL_WITHIN_MS = 500;
/**
 * With more people in the document, all of whom would answer each newcomer, a selection is sent again only
 * when its owner moves it.
 */
const RETELL_MOST = 30;

/** The notifications of a replica; set once the document that it belongs to exists. */
interface Told<Op> {
  changed: (origin: ChangeOrigin, op: Op) => void;
  confirmed: (op: Op, author: string, version: number) => void;
  reset: (version: number) => void;
}

abstract class OtDocument<State, Op, Undo, Change, Patch> extends DocumentBase<Change, Patch> {
  protected readonly replica: OtReplica<State, Op, Undo, Patch>;

  constructor(host: DocumentHost, name: string, algebra: OtAlgebra<State, Op, Undo, Patch>) {
    const kind: DocumentKind<State, Op, Undo> = algebra.kind;
    const told: Told<Op> = { changed: () => {}, confirmed: () => {}, reset: () => {} };
    const replica = new OtReplica(algebra, hooksOf(host, name, told));
    super(host, name, kind.name, replica);
    this.replica = replica;
    told.changed = (origin, op) => {
      this.changed(origin, op);
      // After own edits the history is refreshed later.
      if (origin === 'remote' || origin === 'correction') this.refreshHistory();
    };
    told.confirmed = (op, author, version) => this.confirmed(op, author, version);
    told.reset = (version) => this.reset(version);
  }

  get canUndo(): boolean {
    return this.replica.canUndo;
  }
  get canRedo(): boolean {
    return this.replica.canRedo;
  }

  undo(): boolean {
    this.assertEditable();
    return this.#after(this.replica.undo());
  }
  redo(): boolean {
    this.assertEditable();
    return this.#after(this.replica.redo());
  }
  undoGroup(): void {
    this.replica.endUndoGroup();
  }

  protected editWire(wire: unknown): void {
    this.assertEditable();
    this.replica.edit(wire);
    this.#after(true);
  }

  protected abstract changed(origin: ChangeOrigin, op: Op): void;
  protected confirmed(_op: Op, _author: string, _version: number): void {}
  protected reset(_version: number): void {}

  #after(edited: boolean): boolean {
    this.refreshHistory();
    if (edited) this.session.edited();
    return edited;
  }
}

function hooksOf<Op>(host: DocumentHost, doc: string, told: Told<Op>): OtHooks<Op> {
  const seq = Number.MAX_SAFE_INTEGER;
  return {
    measure: (op) => patchBytes(host, { type: 'submit', doc, seq, base: seq, op }),
    opBytes: () => mostPatchBytes(host.limits()),
    pendingBytes: host.pendingBytes,
    depth: () => host.limits().depth,
    now: () => host.platform.now(),
    changed: (origin, op) => told.changed(origin, op),
    confirmed: (op, author, version) => told.confirmed(op, author, version),
    reset: (version) => told.reset(version),
  };
}

export class RichTextDocumentOfClient
  extends OtDocument<Runs, Steps, Steps, RichTextChange, Delta>
  implements Omit<RichTextDocument, 'close'>
{
  readonly kind = 'rich-text' satisfies KindName;
  readonly #platform: Platform;
  readonly #cursors = new Cursors();
  /** The own selection, as a range of the view. */
  #selection: Range | null = null;
  /**
   * Whether edits have moved the selection since it was sent. Clients that saw these edits have moved it too;
   * a newcomer has not.
   */
  #selectionMoved = false;
  #retelling: Timer | undefined;
  #people: ReadonlyMap<string, Json> = new Map();
  #content: { readonly view: Wire; readonly delta: Delta } | undefined;
  #shownCursors: ReadonlyMap<string, Cursor> = new Map();
  /** The cursors as last reported by an event. */
  #toldCursors = this.#shownCursors;
  #cursorsMoved = false;

  constructor(host: DocumentHost, name: string) {
    super(host, name, richTextAlgebra);
    this.#platform = host.platform;
    this.presence.on('change', (changed) => {
      for (const [client, data] of changed) this.#cursors.presence(client, data);
      this.#cursorsMoved = true;
      this.#tellCursors();
      const before = this.#people;
      this.#people = this.presence.states;
      if ([...this.#people.keys()].some((client) => !before.has(client))) this.#retell();
    });
  }

  get content(): Delta {
    const view = this.replica.view();
    if (this.#content?.view !== view) this.#content = { view, delta: toDelta(view) };
    return this.#content.delta;
  }

  edit(delta: DeltaLike): void {
    // From JavaScript the argument may be any value: a value that is no patch is reported like any wrong
    // patch.
    const ops: unknown = typeof delta === 'object' && delta !== null && 'ops' in delta ? delta.ops : delta;
    try {
      this.editWire(ops);
    } catch (error) {
      if (!(error instanceof TroupeError) || error.code !== 'bad-op') throw error;
      const whole = inWholeCodePoints(this.replica.view() as Steps, ops);
      if (whole === undefined) throw error;
      this.editWire(whole);
    }
  }

  get cursors(): ReadonlyMap<string, Cursor> {
    if (!this.#cursorsMoved) return this.#shownCursors;
    this.#cursorsMoved = false;
    const length = this.replica.loaded && !this.#cursors.empty ? this.content.length() : 0;
    const cursors = this.#cursors.onView(this.replica.pendingOps, length);
    if (!sameCursors(cursors, this.#shownCursors)) this.#shownCursors = cursors;
    return this.#shownCursors;
  }

  setSelection(range: Range | null): void {
    const before = this.#selection;
    if (before?.index === range?.index && before?.length === range?.length) return;
    this.#selection = range === null ? null : { index: range.index, length: range.length };
    this.presence.touch();
  }

  transformPosition(position: number, delta: Delta): number {
    return positionAfter(position, delta.ops as Steps, false);
  }

  protected override outgoingPresence(own: Json): Json {
    if (this.#selection === null || !this.replica.loaded) return own;
    // A selection in text that is pending is sent as a position beside that text.
    this.#selectionMoved = this.replica.pendingOps.length > 0;
    const selection = outgoingSelection(this.#selection, this.replica.pendingOps, this.version);
    return typeof own === 'object' && own !== null && !Array.isArray(own)
      ? { ...own, selection }
      : { selection };
  }

  protected override changed(origin: ChangeOrigin, op: Steps): void {
    const own = origin === 'edit' || origin === 'undo' || origin === 'redo';
    if (this.#selection !== null) {
      const { index, length } = this.#selection;
      this.#selection = rangeAfter(this.#selection, op, own);
      if (this.#selection.index !== index || this.#selection.length !== length) this.#selectionMoved = true;
    }
    this.#cursorsMoved = true;
    this.events.emit('change', { origin, delta: toDelta(op as Wire) });
  }

  protected override confirmed(op: Steps, author: string, version: number): void {
    this.#cursors.confirmed(op, author, version);
    this.#cursorsMoved = true;
  }

  protected override reset(version: number): void {
    this.#cursors.reset(version);
    this.#cursorsMoved = true;
  }

  protected override progress(): void {
    super.progress();
    this.#tellCursors();
  }

  protected override dispose(): void {
    super.dispose();
    if (this.#retelling !== undefined) this.#platform.clearTimer(this.#retelling);
  }

  /** A newcomer has the presence as it was sent, and none of the edits since. */
  #retell(): void {
    if (!this.#selectionMoved || this.#retelling !== undefined || this.#people.size > RETELL_MOST) return;
    this.#retelling = this.#platform.setTimer(() => {
      this.#retelling = undefined;
      if (this.#selectionMoved) this.presence.touch();
    }, this.#platform.random() * RETELL_WITHIN_MS);
  }

  #tellCursors(): void {
    const { cursors } = this;
    if (cursors === this.#toldCursors) return;
    this.#toldCursors = cursors;
    this.events.emit('cursors', cursors);
  }
}

function sameCursors(a: ReadonlyMap<string, Cursor>, b: ReadonlyMap<string, Cursor>): boolean {
  return (
    a.size === b.size &&
    [...a].every(([client, cursor]) => {
      const other = b.get(client);
      return (
        other?.index === cursor.index && other.length === cursor.length && equal(other.data, cursor.data)
      );
    })
  );
}

export class JsonDocumentOfClient
  extends OtDocument<JsonState, JsonOp, JsonUndo, JsonChange, readonly JsonStep[]>
  implements Omit<JsonDocument, 'close'>
{
  readonly kind = 'json' satisfies KindName;

  constructor(host: DocumentHost, name: string) {
    super(host, name, jsonAlgebra);
  }

  get content(): Json {
    return this.replica.view() as Json;
  }

  edit(patch: readonly JsonStep[]): void {
    this.editWire(patch);
  }

  protected override changed(origin: ChangeOrigin, op: JsonOp): void {
    this.events.emit('change', { origin, patch: toPatch(op) });
  }
}
