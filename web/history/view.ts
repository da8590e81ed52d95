// The version history of the open document: its periods of editing beside a preview of the chosen one, and what can be done
// with it. It takes the place of the document's view until it is closed; the document goes on behind it.
import { type KindName, type Role, TroupeError } from '../../client/index.ts';
import { el } from '../dom.ts';
import { describe } from '../errors.ts';
import { askText } from '../frame/dialogs.ts';
import { COLOURS } from '../frame/people.ts';
import { PAGE, type Past, type PastPatch } from './past.ts';
import { type Author, authorOf, type Period, periodsOf } from './periods.ts';
import { previewOf } from './preview.ts';

export interface HistoryDocument {
  readonly kind: KindName;
  readonly version: number;
  readonly role: Role | undefined;
}

export interface HistoryEvents {
  notify(message: string): void;
  failed(message: string): void;
  /** The person goes back to the document. */
  closed(): void;
}

const NAME_LENGTH = 100;
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export class HistoryView {
  readonly element: HTMLElement;
  readonly #doc: HistoryDocument;
  readonly #past: Past;
  readonly #events: HistoryEvents;
  readonly #list = el('ol', { class: 'history-list', attrs: { 'aria-label': 'Versions, newest first' } });
  readonly #sheet = el('div', {
    class: 'sheet',
    attrs: { tabindex: '0', 'aria-label': 'The chosen version' },
  });
  readonly #actions = el('div', { class: 'history-actions' });
  readonly #colours = new Map<string, string>();
  #patches: readonly PastPatch[] = [];
  #periods: readonly Period[] = [];
  #chosen: Period | undefined;

  constructor(doc: HistoryDocument, past: Past, events: HistoryEvents) {
    this.#doc = doc;
    this.#past = past;
    this.#events = events;
    const back = el('button', {
      class: 'button quiet',
      text: 'Back to the document',
      attrs: { type: 'button' },
    });
    back.addEventListener('click', () => events.closed());
    this.element = el(
      'main',
      { class: 'history-view' },
      el(
        'section',
        { class: 'history-version', attrs: { 'aria-label': 'Version' } },
        el('div', { class: 'history-head' }, el('h2', { text: 'Version history' }), back, this.#actions),
        this.#sheet,
      ),
      el('aside', { class: 'history-side' }, this.#list),
    );
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') events.closed();
    });
    void this.#load();
  }

  /** Reads the newest patches, and chooses their last period. */
  async #load(): Promise<void> {
    this.#patches = [];
    await this.#attempt(async () => {
      const head = this.#doc.version;
      if (head > 0) this.#patches = await this.#past.patches(Math.max(1, head - PAGE + 1), head);
      await this.#draw();
      const [newest] = this.#periods;
      if (newest === undefined)
        this.#sheet.replaceChildren(el('p', { text: 'Nothing has been written yet.' }));
      else await this.#choose(newest);
    });
  }

  async #draw(): Promise<void> {
    this.#periods = periodsOf(this.#patches, await this.#past.names());
    const first = this.#patches[0]?.version ?? 1;
    const items = this.#periods.map((period) => el('li', {}, this.#entry(period)));
    if (first > 1) {
      const more = el('button', { class: 'button quiet', text: 'Show earlier', attrs: { type: 'button' } });
      more.addEventListener('click', () => void this.#attempt(() => this.#showEarlier(first)));
      items.push(el('li', {}, more));
    }
    this.#list.replaceChildren(...items);
  }

  async #showEarlier(first: number): Promise<void> {
    const earlier = await this.#past.patches(Math.max(1, first - PAGE), first - 1).catch(noneIfGone);
    if (earlier.length === 0) this.#events.notify('Nothing earlier is kept.');
    this.#patches = [...earlier, ...this.#patches];
    await this.#draw();
  }

  #entry(period: Period): HTMLButtonElement {
    const name = period.names.map((each) => each.name).join(', ');
    const button = el(
      'button',
      {
        class: 'history-entry',
        attrs: { type: 'button', 'data-version': String(period.to) },
        on: { click: () => void this.#attempt(() => this.#choose(period)) },
      },
      name === '' ? undefined : el('strong', { text: name }),
      el('span', { text: TIME.format(period.at) }),
      el('span', { class: 'history-authors' }, ...period.authors.map((author) => this.#authorBadge(author))),
    );
    if (period.to === this.#chosen?.to) button.setAttribute('aria-current', 'true');
    return button;
  }

  #authorBadge(author: Author): HTMLElement {
    const badge = el('span', { class: 'history-author', text: author.label });
    badge.style.setProperty('--person', this.#colourOf(author.key));
    return badge;
  }

  /** Authors get colours in the order in which they are met, so that neighbours differ. */
  #colourOf(key: string): string {
    const known = this.#colours.get(key);
    if (known !== undefined) return known;
    const colour = COLOURS[(this.#colours.size * 3) % COLOURS.length]?.hex ?? '#475569';
    this.#colours.set(key, colour);
    return colour;
  }

  async #choose(period: Period): Promise<void> {
    this.#chosen = period;
    for (const button of this.#list.querySelectorAll('.history-entry')) {
      if (button.getAttribute('data-version') === String(period.to))
        button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
    const patches = this.#patches.filter(({ version }) => version >= period.from && version <= period.to);
    const preview = await previewOf(this.#doc.kind, this.#past, patches, (author) => this.#colourOf(author));
    if (this.#chosen !== period) return;
    this.#sheet.replaceChildren(preview);
    this.#sheet.dataset.version = String(period.to);
    this.#actions.replaceChildren(...this.#actionsFor(period, patches));
  }

  #actionsFor(period: Period, patches: readonly PastPatch[]): HTMLElement[] {
    const { role, kind } = this.#doc;
    const actions: HTMLElement[] = [];
    const add = (label: string, act: () => Promise<void>): void => {
      const button = el('button', { class: 'button', text: label, attrs: { type: 'button' } });
      button.addEventListener('click', () => void this.#attempt(act));
      actions.push(button);
    };
    if (role === 'owner') {
      add('Name this version', () => this.#name(period));
      if (period.to !== this.#periods[0]?.to)
        add('Restore this version', () =>
          this.#act('This version is the document again.', () => this.#past.restore(period.to)),
        );
    }
    if (kind !== 'yjs' && (role === 'owner' || role === 'editor')) {
      // Where users have no names, the node cannot tell whose patches they are.
      const users = new Set(patches.map((patch) => authorOf(patch).user));
      for (const user of users.has(undefined) ? [undefined] : users)
        add(user === undefined ? 'Take these edits back' : `Take back the edits of ${user}`, () =>
          this.#act('These edits were taken back. Everything else stays.', () =>
            this.#past.revert(period.from, period.to, user),
          ),
        );
    }
    return actions;
  }

  async #name({ to, names }: Period): Promise<void> {
    const name = await askText('Name this version', 'Name', names[0]?.name ?? '', NAME_LENGTH);
    if (name === undefined || name === '') return;
    await this.#past.name(name, to);
    await this.#draw();
  }

  /** Writes to the document, and goes back to it. */
  async #act(done: string, act: () => Promise<void>): Promise<void> {
    await act();
    this.#events.notify(done);
    this.#events.closed();
  }

  async #attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#events.failed(describe(error));
    }
  }
}

function noneIfGone(error: unknown): readonly PastPatch[] {
  if (error instanceof TroupeError && error.code === 'version-too-old') return [];
  throw error;
}
