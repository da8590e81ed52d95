// One card as an element: its title, its menu, and the people at it. Reports the person's wishes; it never
// edits the document.
import { el, iconButton } from '../../dom.ts';
import { initials, type Person } from '../../frame/people.ts';
import { editInline, type InlineEditor } from './inline.ts';
import { type Card, TITLE_LENGTH } from './model.ts';

export interface CardActions {
  rename(id: string, title: string): void;
  menu(id: string, anchor: HTMLElement): void;
  key(id: string, event: KeyboardEvent): void;
}

export class CardElement {
  readonly element: HTMLLIElement;
  readonly #id: string;
  readonly #actions: CardActions;
  readonly #title = el('p', { class: 'card-title' });
  readonly #people = el('span', { class: 'card-people' });
  #editor: InlineEditor | undefined;
  #text = '';
  #peopleKey = '';

  constructor(id: string, actions: CardActions) {
    this.#id = id;
    this.#actions = actions;
    const more = iconButton('more', 'Card actions', () => actions.menu(id, more), 'more');
    more.setAttribute('aria-haspopup', 'menu');
    this.element = el(
      'li',
      { class: 'card', attrs: { tabindex: '0', 'data-card': id } },
      this.#title,
      el('div', { class: 'card-side' }, this.#people, more),
    );
    this.element.addEventListener('click', (event) => {
      if (!(event.target instanceof Element) || event.target.closest('button, textarea') === null)
        this.edit();
    });
    this.element.addEventListener('keydown', (event) => {
      if (event.target === this.element) actions.key(id, event);
    });
  }

  update(card: Card): void {
    this.#text = card.title;
    this.#title.textContent = card.title || 'Untitled card';
    this.#title.toggleAttribute('data-untitled', card.title === '');
    this.element.setAttribute('aria-label', `${card.title || 'Untitled card'}, card`);
  }

  setPeople(people: readonly Person[]): void {
    const key = JSON.stringify(people);
    if (key === this.#peopleKey) return;
    this.#peopleKey = key;
    this.#people.replaceChildren(
      ...people.slice(0, 3).map((person) => {
        const avatar = el('span', { class: 'avatar small', title: person.name, text: initials(person.name) });
        avatar.setAttribute('aria-label', `${person.name} is here`);
        avatar.style.setProperty('--person', person.colour);
        return avatar;
      }),
    );
    const [first] = people;
    this.element.toggleAttribute('data-visited', first !== undefined);
    if (first === undefined) this.element.style.removeProperty('--person');
    else this.element.style.setProperty('--person', first.colour);
  }

  edit(): void {
    if (this.#editor !== undefined) return;
    this.element.dataset.editing = '';
    this.#editor = editInline(this.#title, {
      label: 'Card title',
      value: this.#text,
      maxLength: TITLE_LENGTH,
      done: (title) => {
        const hadFocus =
          this.element.contains(document.activeElement) || document.activeElement === document.body;
        this.#editor = undefined;
        delete this.element.dataset.editing;
        if (title !== undefined && title !== '') this.#actions.rename(this.#id, title);
        if (hadFocus) this.element.focus();
      },
    });
  }

  get editing(): boolean {
    return this.#editor !== undefined;
  }

  remove(): void {
    this.#editor?.cancel();
    this.element.remove();
  }
}
