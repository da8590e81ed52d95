// The bar above every view: what is open, how it stands with the server, who is here, undo and redo,
// the switch to work offline, the link. It shows what it is told and reports what is pressed; it
// knows no document and no socket.
import { el, icon, iconButton, logo } from './dom.ts';
import { initials, type Person } from './people.ts';
import { addressOf, documentOf, type Place } from './place.ts';
import type { Status } from './status.ts';

export interface HeaderActions {
  undo(): void;
  redo(): void;
  copyLink(): void;
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

/** Avatars that stand side by side before the rest becomes a number. */
const AVATARS = 4;

const SWITCH_TITLE = {
  online: 'Go offline; edits are kept and sent when you are back',
  offline: 'Go back online; what you edited meanwhile is sent',
};

export class Header {
  readonly element: HTMLElement;
  readonly #actions: HeaderActions;
  readonly #title = el('h1', { class: 'title' });
  readonly #name = el('span', { class: 'doc-name' });
  readonly #status = el('span', { class: 'status' });
  readonly #announcer = el('div', {
    class: 'visually-hidden',
    attrs: { role: 'status', 'aria-live': 'polite' },
  });
  readonly #tabs = {
    text: el('a', { class: 'tab' }, icon('page'), el('span', { text: 'Document' })),
    board: el('a', { class: 'tab' }, icon('board'), el('span', { text: 'Board' })),
  };
  readonly #undo: HTMLButtonElement;
  readonly #redo: HTMLButtonElement;
  readonly #online: HTMLButtonElement;
  readonly #others = el('ul', { class: 'others', attrs: { 'aria-label': 'Also here' } });
  readonly #me: HTMLButtonElement;

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
    this.element = el(
      'header',
      { class: 'bar' },
      el(
        'a',
        { class: 'brand', title: 'New document', attrs: { href: '/', 'aria-label': 'Troupe: new document' } },
        logo(),
      ),
      el('div', { class: 'heading' }, this.#title, el('div', { class: 'subline' }, this.#status, this.#name)),
      el('nav', { class: 'tabs', attrs: { 'aria-label': 'Views' } }, this.#tabs.text, this.#tabs.board),
      el(
        'div',
        { class: 'tools' },
        el('div', { class: 'button-pair' }, this.#undo, this.#redo),
        this.#online,
        el('div', { class: 'people' }, this.#others, this.#me),
        el(
          'button',
          { class: 'button share', attrs: { type: 'button' }, on: { click: () => actions.copyLink() } },
          icon('link'),
          el('span', { text: 'Copy link' }),
        ),
      ),
      this.#announcer,
    );
    this.setHistory(false, false);
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

  announce(message: string): void {
    this.#announcer.textContent = message;
  }

  setHistory(canUndo: boolean, canRedo: boolean): void {
    this.#undo.disabled = !canUndo;
    this.#redo.disabled = !canRedo;
  }

  setOnline(online: boolean): void {
    this.#online.setAttribute('aria-checked', String(online));
    this.#online.title = online ? SWITCH_TITLE.online : SWITCH_TITLE.offline;
  }

  setMe(me: Person): void {
    dress(this.#me, me);
    this.#me.title = `${me.name} (you): change name or colour`;
    this.#me.setAttribute('aria-label', `You are ${me.name}. Change name or colour`);
  }

  setOthers(others: readonly Visitor[]): void {
    const shown = others.length > AVATARS ? others.slice(0, AVATARS - 1) : others;
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
      const more = el('span', { class: 'avatar more', title: names, text: `+${rest.length}` });
      more.setAttribute('aria-label', `and ${names}`);
      items.push(el('li', {}, more));
    }
    this.#others.replaceChildren(...items);
  }
}

function dress(avatar: HTMLElement, person: Person): void {
  avatar.textContent = initials(person.name);
  avatar.style.setProperty('--person', person.colour);
}
