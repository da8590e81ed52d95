// The bar above every view: the open document, its state at the server, the people here, undo and redo, the
// switch to work offline, the link. It shows the values it is given and reports presses; it knows no document
// and no socket.
import { el, icon, iconButton, logo } from '../dom.ts';
import { addressOf, documentOf, type Place } from '../place/place.ts';
import { type MenuItem, openMenu } from './menu.ts';
import { initials, type Person } from './people.ts';
import type { Status } from './status.ts';

export interface HeaderActions {
  undo(): void;
  redo(): void;
  copyLink(): void;
  openWindow(): void;
  /** The entries of the menu of documents, asked for when it opens. */
  documents(): readonly MenuItem[];
  toggleOffline(): void;
  editPerson(): void;
  /** A tab was chosen. */
  go(place: Place): void;
  /** Another person's avatar was pressed. */
  find(client: string): void;
}

export interface Visitor extends Person {
  readonly client: string;
}

/**
 * Avatars that are shown before the rest becomes a number, by width of the window: the first row that fits
 * counts.
 */
const AVATARS = [
  { wide: window.matchMedia('(min-width: 901px)'), most: 4 },
  { wide: window.matchMedia('(min-width: 481px)'), most: 3 },
] as const;
const FEWEST_AVATARS = 2;

const SWITCH_TITLE = {
  online: 'Go offline; edits are kept and sent when you are back',
  offline: 'Go back online; what you edited meanwhile is sent',
  connecting: 'Not connected; trying to reach the server. Switch off to stay offline',
};

export class Header {
  readonly element: HTMLElement;
  readonly #actions: HeaderActions;
  readonly #title = el('h1', { class: 'title' });
  readonly #name = el('span', { class: 'doc-name' });
  readonly #status = el('span', { class: 'status' });
  readonly #readOnly = el('span', {
    class: 'read-only',
    text: 'View only',
    title: 'You may read this document, and not change it',
    attrs: { hidden: true },
  });
  readonly #announcer = el('div', {
    class: 'visually-hidden',
    attrs: { role: 'status', 'aria-live': 'polite' },
  });
  readonly #tabs = {
    text: el('a', { class: 'tab' }, icon('page'), el('span', { text: 'Document' })),
    board: el('a', { class: 'tab' }, icon('board'), el('span', { text: 'Board' })),
  };
  readonly #views = el(
    'nav',
    { class: 'tabs', attrs: { 'aria-label': 'Views' } },
    this.#tabs.text,
    this.#tabs.board,
  );
  readonly #undo: HTMLButtonElement;
  readonly #redo: HTMLButtonElement;
  readonly #online: HTMLButtonElement;
  readonly #others = el('ul', { class: 'others', attrs: { 'aria-label': 'Also here' } });
  readonly #alone: HTMLButtonElement;
  readonly #me: HTMLButtonElement;
  #visitors: readonly Visitor[] = [];

  constructor(actions: HeaderActions) {
    this.#actions = actions;
    this.#undo = iconButton('undo', 'Undo', () => actions.undo());
    this.#redo = iconButton('redo', 'Redo', () => actions.redo());
    this.#online = el(
      'button',
      {
        class: 'switch',
        title: SWITCH_TITLE.online,
        attrs: { type: 'button', role: 'switch', 'aria-checked': 'true', 'aria-label': 'Online' },
        on: { click: () => actions.toggleOffline() },
      },
      el('span', { class: 'switch-track' }),
      el('span', { class: 'switch-label', text: 'Online' }),
    );
    this.#me = el('button', {
      class: 'avatar me',
      attrs: { type: 'button' },
      on: { click: () => actions.editPerson() },
    });
    this.#alone = el(
      'button',
      {
        class: 'button quiet alone',
        title: 'Nobody else is here yet. Open a second window to see both change together',
        attrs: { type: 'button', 'aria-label': 'Open a second window' },
        on: { click: () => actions.openWindow() },
      },
      icon('windows'),
      el('span', { text: 'Open a second window' }),
    );
    const documents = el(
      'button',
      {
        class: 'brand',
        title: 'Documents: new, recent',
        attrs: { type: 'button', 'aria-label': 'Documents', 'aria-haspopup': 'menu' },
        on: { click: () => openMenu(documents, 'Documents', actions.documents()) },
      },
      logo(),
      icon('chevron'),
    );
    this.element = el(
      'header',
      { class: 'bar' },
      documents,
      el(
        'div',
        { class: 'heading' },
        this.#title,
        el('div', { class: 'subline' }, this.#status, this.#readOnly, this.#name),
      ),
      this.#views,
      el(
        'div',
        { class: 'tools' },
        el('div', { class: 'button-pair' }, this.#undo, this.#redo),
        this.#online,
        el('div', { class: 'people' }, this.#alone, this.#others, this.#me),
        el(
          'button',
          {
            class: 'button share',
            title: 'Copy link',
            attrs: { type: 'button', 'aria-label': 'Copy link' },
            on: { click: () => actions.copyLink() },
          },
          icon('link'),
          el('span', { text: 'Copy link' }),
        ),
      ),
      this.#announcer,
    );
    this.setHistory(false, false);
    for (const { wide } of AVATARS) wide.addEventListener('change', () => this.#showVisitors());
  }

  setPlace(place: Place): void {
    this.#name.textContent = documentOf(place);
    for (const view of ['text', 'board'] as const) {
      const tab = this.#tabs[view];
      const target = { ...place, view };
      tab.href = addressOf(target);
      if (view === place.view) tab.setAttribute('aria-current', 'page');
      else tab.removeAttribute('aria-current');
      tab.onclick = (event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        this.#actions.go(target);
      };
    }
  }

  /** Whether both a text and a board are there to choose from. */
  setViews(both: boolean): void {
    this.#views.hidden = !both;
  }

  setTitle(title: string, untitled: string): void {
    this.#title.textContent = title || untitled;
    this.#title.toggleAttribute('data-untitled', title === '');
    document.title = `${title || untitled} · Troupe`;
  }

  setStatus(status: Status): void {
    if (this.#status.textContent === status.label) return;
    this.#status.dataset.tone = status.tone;
    this.#status.textContent = status.label;
    this.#status.title = status.detail;
  }

  setReadOnly(readOnly: boolean): void {
    if (this.#readOnly.hidden !== readOnly) return;
    this.#readOnly.hidden = !readOnly;
    this.announce(
      readOnly ? 'You may read this document, and not change it.' : 'You may edit this document.',
    );
  }

  announce(message: string): void {
    this.#announcer.textContent = message;
  }

  setHistory(canUndo: boolean, canRedo: boolean): void {
    this.#undo.disabled = !canUndo;
    this.#redo.disabled = !canRedo;
  }

  /** `wanted` is the person's setting of the switch. It looks switched on only with `connected`. */
  setOnline(wanted: boolean, connected: boolean): void {
    const title = !wanted ? SWITCH_TITLE.offline : connected ? SWITCH_TITLE.online : SWITCH_TITLE.connecting;
    this.#online.setAttribute('aria-checked', String(wanted));
    this.#online.dataset.connection = !wanted ? 'off' : connected ? 'on' : 'pending';
    this.#online.title = title;
  }

  setMe(me: Person): void {
    dress(this.#me, me);
    this.#me.title = `${me.name} (you): change name or colour`;
    this.#me.setAttribute('aria-label', `You are ${me.name}. Change name or colour`);
  }

  setOthers(others: readonly Visitor[]): void {
    this.#visitors = others;
    this.#showVisitors();
  }

  #showVisitors(): void {
    const others = this.#visitors;
    const most = AVATARS.find(({ wide }) => wide.matches)?.most ?? FEWEST_AVATARS;
    const shown = others.length > most ? others.slice(0, most - 1) : others;
    const rest = others.slice(shown.length);
    const items = shown.map((other) => {
      const button = el('button', {
        class: 'avatar',
        title: other.name,
        attrs: { type: 'button', 'aria-label': `${other.name}: go to their place` },
        on: { click: () => this.#actions.find(other.client) },
      });
      dress(button, other);
      return el('li', { attrs: { 'data-client': other.client } }, button);
    });
    if (rest.length > 0) {
      const names = rest.map(({ name }) => name).join(', ');
      const more = el('button', {
        class: 'avatar more',
        title: names,
        text: `+${rest.length}`,
        attrs: { type: 'button', 'aria-label': `${rest.length} more: ${names}`, 'aria-haspopup': 'menu' },
        on: {
          click: () =>
            openMenu(
              more,
              'Also here',
              rest.map(({ name, client }) => ({ label: name, run: () => this.#actions.find(client) })),
            ),
        },
      });
      items.push(el('li', {}, more));
    }
    this.#alone.hidden = others.length > 0;
    this.#others.replaceChildren(...items);
  }
}

function dress(avatar: HTMLElement, person: Person): void {
  avatar.textContent = initials(person.name);
  avatar.style.setProperty('--person', person.colour);
}
