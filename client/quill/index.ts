// `troupe/quill`: a Quill editor bound to a rich-text document. The public entry. binding.ts moves the text,
// cursors.ts draws others' carets, history.ts does undo. It takes the editor that the application made and
// imports nothing of Quill itself, so it works with any version 2 and any formats.
import type Quill from 'quill';
import type { Json } from '../../protocol/messages.ts';
import type { RichTextDocument } from '../index.ts';
import { Binding } from './binding.ts';
import { Cursors, type Person, personIn } from './cursors.ts';
import { registerForeign } from './foreign.ts';
import { type EmbedFilter, formatsOf } from './formats.ts';
import { shareHistory } from './history.ts';

export type { EmbedFilter, Person };

export interface QuillBindingOptions {
  /**
   * Shared as this client's presence, so that others see its name. If left out, the application sets the
   * presence.
   */
  user?: Person;
  /** The person to show at a caret. Default: `name` and `color` of the client's presence data. */
  person?: (client: string, data: Json) => Person;
  /**
   * Which of the embeds that the editor knows are shown as they are; others are shown as chips. Default: all.
   */
  showEmbed?: EmbedFilter;
  /**
   * Called when an edit was not taken or an undo failed; the editor shows the document again. Default:
   * `console.error`.
   */
  refused?: (error: unknown) => void;
  /** Called in place of `doc.undo()` and `doc.redo()`, for an application that does more. */
  undo?: () => void;
  redo?: () => void;
  /** Called when the text or a selection has changed, here or elsewhere. */
  changed?: () => void;
}

export interface QuillBinding {
  /** Draws others' carets anew, after the answers of `person` have changed. */
  updateCursors(): void;
  /**
   * The position of a client's caret in the editor; also shows its name for a moment. Undefined if no caret
   * is known.
   */
  findCursor(client: string): number | undefined;
  /** Releases the editor and the document, which stays open. The editor is left read-only. */
  destroy(): void;
}

/**
 * Keeps an editor and a document equal: shows the document once it is ready, sends the user's edits, shows
 * the edits and carets of others, and hands undo to the document. The editor is writable while the document
 * is. The editor's earlier content is replaced. An editor has one binding at a time.
 */
export function bindQuill(
  quill: Quill,
  doc: RichTextDocument,
  options: QuillBindingOptions = {},
): QuillBinding {
  const refused = options.refused ?? ((error: unknown) => console.error(error));
  const attempt = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      refused(error);
    }
  };
  registerForeign(quill);
  quill.enable(false);
  if (options.user !== undefined) doc.presence.set({ ...options.user });
  const closers: (() => void)[] = [
    shareHistory(quill, {
      undo: options.undo ?? (() => attempt(() => void doc.undo())),
      redo: options.redo ?? (() => attempt(() => void doc.redo())),
      group: () => doc.undoGroup(),
    }),
  ];
  let cursors: Cursors | undefined;
  let open = true;
  const allow = (): void =>
    quill.enable(doc.state !== 'closed' && (doc.role === 'editor' || doc.role === 'owner'));

  const begin = (): void => {
    if (!open) return;
    const binding = new Binding(quill, doc, formatsOf(quill, options.showEmbed), {
      refused,
      changed: () => {
        cursors?.update();
        options.changed?.();
      },
    });
    const drawn = new Cursors(quill, doc, {
      position: (position) => binding.positionInEditor(position),
      person: options.person ?? personIn,
    });
    cursors = drawn;
    closers.push(
      () => binding.destroy(),
      () => drawn.clear(),
      doc.presence.on('change', () => drawn.update()),
      doc.on('role', allow),
      doc.on('closed', allow),
    );
    allow();
    drawn.update();
  };
  // If the document cannot be opened, its own `ready` and events report it.
  doc.ready.then(begin, () => {});

  return {
    updateCursors: () => cursors?.update(),
    findCursor: (client) => cursors?.find(client),
    destroy() {
      if (!open) return;
      open = false;
      quill.enable(false);
      for (const close of closers.toReversed()) close();
      if (doc.state === 'closed') return;
      doc.setSelection(null);
      if (options.user !== undefined) doc.presence.set(null);
    },
  };
}
