// The common part of the views of documents that another program has made: a note that names the content, the
// sheet below it, and this window's presence. It shows no person's place, since places in such a document are
// unknown.
import type { JsonDocument, YjsDocument } from '../../client/index.ts';
import { el } from '../dom.ts';
import { type Me, writePresence } from '../frame/people.ts';
import type { DocumentView, ViewEvents } from './view.ts';

export abstract class ForeignView<Shown extends JsonDocument | YjsDocument> implements DocumentView {
  readonly element: HTMLElement;
  abstract readonly untitled: string;
  title = '';
  protected readonly doc: Shown;
  protected readonly events: ViewEvents;
  protected readonly sheet = el('div', { class: 'sheet' });
  #me: Me;
  #visible = false;

  constructor(doc: Shown, me: Me, events: ViewEvents, look: { class: string; note: string }) {
    this.doc = doc;
    this.events = events;
    this.#me = me;
    this.element = el(
      'main',
      { class: `foreign-view ${look.class}` },
      el('p', { class: 'kind-note', text: look.note }),
      this.sheet,
    );
  }

  abstract ready(): void;

  shown(): void {
    this.#visible = true;
    this.doc.presence.set(writePresence(this.#me));
  }

  hidden(): void {
    this.#visible = false;
    this.doc.presence.set(null);
  }

  setMe(me: Me): void {
    this.#me = me;
    if (this.#visible) this.doc.presence.set(writePresence(me));
  }

  reveal(): void {}

  protected setTitle(title: string): void {
    if (title === this.title) return;
    this.title = title;
    this.events.titleChanged();
  }
}
