// The view of a `yjs` document: shows its current text, read-only. Editing needs the editor of the program
// that made the document.
import type { YjsDocument } from '../../../client/index.ts';
import { el } from '../../dom.ts';
import type { Me } from '../../frame/people.ts';
import { firstCharacters } from '../../graphemes.ts';
import { ForeignView } from '../foreign-view.ts';
import type { ViewEvents } from '../view.ts';
import { partsOf } from './text.ts';

const TITLE_LENGTH = 80;
/** Code units of one part that are shown. */
const SHOWN_LENGTH = 200_000;

export class YjsView extends ForeignView<YjsDocument> {
  readonly untitled = 'Yjs document';
  #drawDue = false;

  constructor(doc: YjsDocument, me: Me, events: ViewEvents) {
    const note =
      'A Yjs document that another program has made: its text, live, to read. Editing it needs an editor for Yjs.';
    super(doc, me, events, { class: 'yjs-view', note });
    // Lets keys scroll the sheet.
    this.sheet.tabIndex = 0;
    this.sheet.setAttribute('aria-label', 'Document text');
  }

  ready(): void {
    this.doc.on('change', () => this.#schedule());
    this.#draw();
  }

  #schedule(): void {
    if (this.#drawDue) return;
    this.#drawDue = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#drawDue = false;
    const parts = partsOf(this.doc.content);
    const line = parts
      .map(({ text }) => text.trim().split('\n', 1)[0] ?? '')
      .find((text) => /^[^[{]/.test(text));
    this.setTitle(firstCharacters(line ?? '', TITLE_LENGTH));
    this.sheet.replaceChildren(
      ...parts.flatMap(({ name, text }) => [
        ...(parts.length > 1 ? [el('h2', { text: name })] : []),
        el('pre', { text: text.slice(0, SHOWN_LENGTH) }),
        ...(text.length > SHOWN_LENGTH
          ? [el('p', { class: 'kind-note', text: 'The rest is not shown.' })]
          : []),
      ]),
      ...(parts.length === 0 ? [el('p', { class: 'kind-note', text: 'There is no text in it.' })] : []),
    );
  }
}
