// Edits a title in its place: a text box replaces the words. Enter and leaving the box keep the new text,
// Escape drops it.
import { el } from '../../dom.ts';

export interface InlineOptions {
  label: string;
  value: string;
  maxLength: number;
  placeholder?: string;
  /**
   * Spaces and line breaks are kept as they are; Shift+Enter writes a line break. Otherwise the text is one
   * line.
   */
  verbatim?: boolean;
  /** Called once, with the new text; undefined if the edit was dismissed or changed nothing. */
  done(value: string | undefined): void;
}

export interface InlineEditor {
  readonly element: HTMLTextAreaElement;
  /** Removes the box without a result, for when the edited element is gone. */
  cancel(): void;
}

/** Replaces `target` by a text box until the edit is done. */
export function editInline(target: HTMLElement, options: InlineOptions): InlineEditor {
  const box = growingBox(options.label, options.maxLength, options.placeholder);
  box.value = options.value;
  let open = true;
  const finish = (value: string | undefined): void => {
    if (!open) return;
    open = false;
    box.replaceWith(target);
    const text = options.verbatim === true ? value : value?.replace(/\s+/g, ' ').trim();
    options.done(text === undefined || text === options.value ? undefined : text);
  };
  box.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'Enter' && options.verbatim === true && event.shiftKey) return;
    if (event.key === 'Enter') finish(box.value);
    else if (event.key === 'Escape') finish(undefined);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  // Moving the box within the page takes the focus from it for a moment; this does not count as leaving it.
  box.addEventListener('blur', () =>
    queueMicrotask(() => document.activeElement !== box && finish(box.value)),
  );
  target.replaceWith(box);
  grow(box);
  box.focus();
  box.select();
  return { element: box, cancel: () => finish(undefined) };
}

/** A text box of one line that grows with its text. */
export function growingBox(label: string, maxLength: number, placeholder = ''): HTMLTextAreaElement {
  const box = el('textarea', {
    class: 'inline-box',
    attrs: { 'aria-label': label, maxlength: String(maxLength), rows: '1', placeholder, spellcheck: 'true' },
  });
  box.addEventListener('input', () => grow(box));
  return box;
}

function grow(box: HTMLTextAreaElement): void {
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight}px`;
}
