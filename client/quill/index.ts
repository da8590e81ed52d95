// `troupe/quill`: a Quill editor bound to a rich-text document. The public entry; how text travels is
// binding.ts, others' carets cursors.ts, undo history.ts. It takes the editor that the application made
// and imports nothing of Quill itself, so that any version 2 with any formats will do.
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
  /** Shared as this client's presence, so that others see its name. Left out: the application sets the presence. */
  user?: Person;
  /** The person to show at a caret. Default: `name` and `color` of the client's presence data. */
  person?: (client: string, data: Json) => Person;
  /** Which of the embeds that the editor knows are shown as they are; others stand as a chip. Default: all. */
  showEmbed?: EmbedFilter;
  /** An edit was not taken, or an undo failed; the editor shows the document again. Default: told by `console.error`. */
  refused?: (error: unknown) => void;
  /** In place of `doc.undo()` and `doc.redo()`, for an application that does more than that. */
  undo?: () => void;
  redo?: () => void;
  /** The text or a selection changed, here or elsewhere. */
  changed?: () => void;
}

export interface QuillBinding {
  /** Draws others' carets anew, after what `person` answers has changed. */
  updateCursors(): void;
  /** Where someone's caret is in the editor; its name shows for a moment. Undefined: no caret is known. */
  findCursor(client: string): number | undefined;
  /** Lets go of the editor and of the document, which stays open. The editor is left read-only. */
  destroy(): void;
}

/**
 * Keeps an editor and a document equal: it shows the document once that is ready, sends the user's edits,
 * shows the edits and carets of others, and hands undo to the document. The editor is writable while the
 * document is. The editor's earlier content is replaced. An editor has one binding at a time.
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
  // A document that cannot be opened is told by its own `ready` and events.
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
