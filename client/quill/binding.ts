// Keeps an editor and a shared document equal: local typing goes to the document, and others' edits come to
// the editor, at the right places. While an input method composes a word, others' changes are held back,
// since a change of the text under it would break the word.

import type Quill from 'quill';
import type { RichTextChange, RichTextDocument } from '../index.ts';
import { Delta } from '../ot/delta.ts';
import { withWholeCharacters } from './characters.ts';
import {
  changesLines,
  documentInEditor,
  endOfChange,
  fromEditor,
  toEditor,
  withWholeLines,
} from './display.ts';
import type { EditorFormats } from './formats.ts';

export interface BindingEvents {
  /** The document did not take an edit; the editor shows the document again. */
  refused(error: unknown): void;
  /** The text or a selection changed, here or elsewhere. */
  changed(): void;
}

export class Binding {
  readonly #quill: Quill;
  readonly #doc: RichTextDocument;
  readonly #formats: EditorFormats;
  readonly #events: BindingEvents;
  readonly #closers: (() => void)[] = [];
  /** Others' changes that the document has and the editor does not have yet. */
  #held = new Delta();
  #selectionDue = false;

  /** The document must be ready. */
  constructor(quill: Quill, doc: RichTextDocument, formats: EditorFormats, events: BindingEvents) {
    this.#quill = quill;
    this.#doc = doc;
    this.#formats = formats;
    this.#events = events;
    this.#showAll();
    const typed = (delta: Delta, _before: Delta, source: string): void => {
      if (source === 'user') this.#typed(delta);
    };
    const moved = (): void => this.#selectionMoved();
    const composed = (): void => queueMicrotask(() => this.#release());
    quill.on('text-change', typed);
    quill.on('editor-change', moved);
    quill.on('composition-end', composed);
    this.#closers.push(
      () => quill.off('text-change', typed),
      () => quill.off('editor-change', moved),
      () => quill.off('composition-end', composed),
      doc.on('change', (change) => this.#changed(change)),
    );
  }

  destroy(): void {
    for (const close of this.#closers.splice(0)) close();
  }

  /** The position in the editor of a position in the document. */
  positionInEditor(position: number): number {
    return this.#held.ops.length === 0 ? position : inverseLengths(this.#held).transformPosition(position);
  }

  #typed(delta: Delta): void {
    const patch = fromEditor(delta);
    try {
      const fitted = this.#held.ops.length === 0 ? patch : this.#held.transform(patch, true);
      const edit = withWholeCharacters(fitted, this.#doc.content);
      this.#doc.edit(withWholeLines(edit, this.#doc.content));
      this.#held = patch.transform(this.#held, false);
      if (edit !== fitted) this.#showAll();
      else if (this.#held.ops.length === 0 && changesLines(patch, this.#formats)) this.#compare();
      this.#events.changed();
    } catch (error) {
      this.#showAll();
      this.#events.refused(error);
    }
  }

  #changed({ origin, delta }: RichTextChange): void {
    if (origin === 'edit') return;
    this.#held = this.#held.compose(delta);
    if (this.#quill.composition.isComposing) return;
    this.#release();
    if (origin === 'undo' || origin === 'redo') this.#quill.setSelection(endOfChange(delta), 0, 'api');
  }

  #release(): void {
    if (this.#quill.composition.isComposing || this.#held.ops.length === 0) return;
    const delta = this.#held;
    this.#held = new Delta();
    try {
      this.#quill.updateContents(toEditor(delta, this.#formats), 'api');
    } catch {
      this.#showAll(); // The editor could not apply the change, so it shows the whole document again.
    }
    if (this.#quill.getLength() !== this.#doc.content.length()) this.#showAll();
    else if (changesLines(delta, this.#formats)) this.#compare();
    this.#events.changed();
  }

  /**
   * A line has one format in the editor and may have several in a document that others made; the shown format
   * must depend on the document alone, not on the order in which changes arrived.
   */
  #compare(): void {
    const wanted = documentInEditor(this.#doc.content, this.#formats);
    if (wanted.diff(this.#quill.getContents()).length() > 0) this.#showAll();
  }

  #showAll(): void {
    const selection = this.#quill.getSelection();
    this.#held = new Delta();
    this.#quill.setContents(documentInEditor(this.#doc.content, this.#formats), 'api');
    if (selection !== null) this.#quill.setSelection(selection, 'silent');
  }

  /**
   * Shares the own selection, once per turn and in the document's positions; keeps it while the focus is
   * elsewhere.
   */
  #selectionMoved(): void {
    if (this.#selectionDue) return;
    this.#selectionDue = true;
    queueMicrotask(() => {
      this.#selectionDue = false;
      const range = this.#quill.hasFocus() ? this.#quill.getSelection() : null;
      if (range === null || this.#held.ops.length > 0 || this.#doc.state === 'closed') return;
      this.#doc.setSelection({ index: range.index, length: range.length });
    });
  }
}

/** The inverse of a delta as far as positions go: deleted text comes back as blanks. */
function inverseLengths(delta: Delta): Delta {
  return delta.ops.reduce((inverse, op) => {
    if (op.delete !== undefined) return inverse.insert(' '.repeat(op.delete));
    if (op.insert === undefined) return inverse.retain(typeof op.retain === 'number' ? op.retain : 1);
    return inverse.delete(typeof op.insert === 'string' ? op.insert.length : 1);
  }, new Delta());
}
