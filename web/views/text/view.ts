// The view of a rich-text document: toolbar, sheet, others' cursors. Assembles these parts and holds the
// title. The SDK owns the document, and Quill the editing of text.
import type { RichTextDocument } from '../../../client/index.ts';
import { bindQuill, type QuillBinding } from '../../../client/quill/index.ts';
import { el } from '../../dom.ts';
import { everyone, type Me, readPresence, writePresence } from '../../frame/people.ts';
import { firstCharacters } from '../../graphemes.ts';
import type { DocumentView, ViewEvents } from '../view.ts';
import { Links } from './links.ts';
import { keepPasted } from './paste.ts';
import { createEditor, type Quill } from './quill.ts';
import { createToolbar, enterToolbar, settleStyleBox } from './toolbar.ts';
import { formatWhileTyping } from './typing.ts';

const TITLE_LENGTH = 80;

export class TextView implements DocumentView {
  readonly element = el('main', { class: 'text-view' });
  readonly untitled = 'Untitled document';
  title = '';
  readonly #doc: RichTextDocument;
  readonly #events: ViewEvents;
  readonly #toolbar: HTMLElement;
  readonly #quill: Quill;
  readonly #binding: QuillBinding;
  #me: Me;
  #visible = false;
  #titleDue = false;

  constructor(doc: RichTextDocument, me: Me, events: ViewEvents) {
    this.#doc = doc;
    this.#me = me;
    this.#events = events;
    this.#toolbar = createToolbar(() => this.#quill.focus());
    const sheet = el('div', { class: 'sheet' });
    const editor = el('div', { class: 'editor' });
    sheet.append(editor);
    this.element.append(this.#toolbar, sheet);
    this.#quill = createEditor({
      container: editor,
      toolbar: this.#toolbar,
      bounds: sheet,
      placeholder: 'Write something. Whoever has the link sees it as you type.',
      link: () => void links.edit(),
      enterToolbar: () => enterToolbar(this.#toolbar),
      refuseFiles: () => events.notify('Only text can be put into a document.'),
    });
    const links = new Links(this.#quill);
    formatWhileTyping(this.#quill);
    keepPasted(this.#quill, (message) => events.notify(message));
    this.#quill.root.setAttribute('role', 'textbox');
    this.#quill.root.setAttribute('aria-multiline', 'true');
    this.#quill.root.setAttribute('aria-label', 'Document text');
    this.#quill.on('editor-change', () => settleStyleBox(this.#toolbar));
    sheet.addEventListener('mousedown', (event) => {
      if (event.target !== sheet) return;
      event.preventDefault();
      this.#quill.setSelection(this.#quill.getLength(), 0, 'user');
    });
    this.#binding = bindQuill(this.#quill, doc, {
      person: (client, data) => {
        const { name, colour } =
          everyone(this.#me, doc.presence.states).get(client) ?? readPresence(client, data);
        return { name, color: colour };
      },
      refused: (error) => events.refused(error),
      undo: () => events.undo(),
      redo: () => events.redo(),
      changed: () => this.#scheduleTitle(),
    });
    this.#setWritable(false);
  }

  ready(): void {
    this.#doc.on('role', () => this.#setWritable(this.#mayWrite()));
    this.#doc.on('closed', () => this.#setWritable(false));
    this.#setWritable(this.#mayWrite());
    this.#readTitle();
    // Not on touch screens: the keyboard would cover the text that has just been opened.
    const pointed = window.matchMedia('(pointer: fine)').matches;
    if (this.#visible && pointed && document.activeElement === document.body) this.#quill.focus();
  }

  shown(): void {
    this.#visible = true;
    this.#doc.presence.set(writePresence(this.#me));
    this.#binding.updateCursors();
  }

  hidden(): void {
    this.#visible = false;
    this.#doc.setSelection(null);
    this.#doc.presence.set(null);
  }

  setMe(me: Me): void {
    this.#me = me;
    if (this.#visible) this.#doc.presence.set(writePresence(me));
    this.#binding.updateCursors();
  }

  reveal(client: string): void {
    const index = this.#binding.findCursor(client);
    const bounds = index === undefined ? null : this.#quill.getBounds(index);
    if (bounds === null) return;
    const top = this.#quill.container.getBoundingClientRect().top + bounds.top + window.scrollY;
    const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    window.scrollTo({ top: top - window.innerHeight / 2, behavior: still ? 'auto' : 'smooth' });
  }

  #mayWrite(): boolean {
    return this.#doc.role === 'editor' || this.#doc.role === 'owner';
  }

  #setWritable(writable: boolean): void {
    this.#toolbar.toggleAttribute('inert', !writable);
    this.#quill.root.setAttribute('aria-readonly', String(!writable));
  }

  #scheduleTitle(): void {
    if (this.#titleDue) return;
    this.#titleDue = true;
    requestAnimationFrame(() => {
      this.#titleDue = false;
      this.#readTitle();
    });
  }

  #readTitle(): void {
    const start = this.#quill.getText(0, TITLE_LENGTH * 10).trimStart();
    const title = firstCharacters((start.split('\n', 1)[0] ?? '').trim(), TITLE_LENGTH);
    if (title === this.title) return;
    this.title = title;
    this.#events.titleChanged();
  }
}
