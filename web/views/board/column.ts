// One column as an element: title, number of cards, its list, and the form that adds cards. Reports the
// person's wishes; it never edits the document.
import { el, icon, iconButton } from '../../dom.ts';
import { editInline, growingBox } from './inline.ts';
import { type Column, TITLE_LENGTH } from './model.ts';

export interface ColumnActions {
  rename(id: string, title: string): void;
  addCard(id: string, title: string): void;
  menu(id: string, anchor: HTMLElement): void;
}

export class ColumnElement {
  readonly element: HTMLElement;
  readonly list = el('ol', { class: 'cards' });
  readonly #id: string;
  readonly #actions: ColumnActions;
  readonly #title: HTMLButtonElement;
  readonly #count = el('span', { class: 'count' });
  readonly #footer = el('div', { class: 'column-footer' });
  readonly #add: HTMLButtonElement;
  #text = '';

  constructor(id: string, actions: ColumnActions) {
    this.#id = id;
    this.#actions = actions;
    this.#title = el('button', {
      class: 'column-title',
      title: 'Rename',
      attrs: { type: 'button' },
      on: { click: () => this.rename() },
    });
    const more = iconButton('more', 'Column actions', () => actions.menu(id, more), 'more');
    more.setAttribute('aria-haspopup', 'menu');
    this.#add = el(
      'button',
      { class: 'add-card', attrs: { type: 'button' }, on: { click: () => this.#compose() } },
      icon('plus'),
      el('span', { text: 'Add card' }),
    );
    this.#footer.append(this.#add);
    this.element = el(
      'section',
      { class: 'column', attrs: { 'data-column': id } },
      el('div', { class: 'column-head' }, el('h2', {}, this.#title), this.#count, more),
      this.list,
      this.#footer,
    );
  }

  update(column: Column): void {
    this.#text = column.title;
    const title = column.title || 'Untitled column';
    this.#title.textContent = title;
    this.#count.textContent = String(column.cards.length);
    this.#count.setAttribute('aria-label', `${column.cards.length} cards`);
    this.element.setAttribute('aria-label', title);
    this.list.setAttribute('aria-label', `Cards in ${title}`);
    this.list.toggleAttribute('data-empty', column.cards.length === 0);
  }

  rename(): void {
    editInline(this.#title, {
      label: 'Column title',
      value: this.#text,
      maxLength: TITLE_LENGTH,
      done: (title) => {
        if (title !== undefined && title !== '') this.#actions.rename(this.#id, title);
      },
    });
  }

  /** Opens a form in the place of the button; it stays open for the next card until the focus leaves it. */
  #compose(): void {
    const box = growingBox('Title of the new card', TITLE_LENGTH, 'What is to be done?');
    const form = el(
      'form',
      { class: 'composer' },
      box,
      el(
        'div',
        { class: 'composer-actions' },
        el('button', { class: 'button', text: 'Add', attrs: { type: 'submit' } }),
        iconButton('close', 'Close', () => close(true)),
      ),
    );
    const close = (focus: boolean): void => {
      if (!form.isConnected) return;
      form.replaceWith(this.#add);
      if (focus) this.#add.focus();
    };
    const submit = (): boolean => {
      const title = box.value.replace(/\s+/g, ' ').trim();
      if (title === '') return false;
      box.value = '';
      box.dispatchEvent(new Event('input'));
      this.#actions.addCard(this.#id, title);
      return true;
    };
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (submit()) box.focus();
    });
    form.addEventListener('keydown', (event) => {
      if (event.isComposing) return;
      if (event.key === 'Enter' && event.target === box) {
        event.preventDefault();
        if (!submit()) close(true);
      } else if (event.key === 'Escape') close(true);
    });
    form.addEventListener('focusout', (event) => {
      if (event.relatedTarget instanceof Node && form.contains(event.relatedTarget)) return;
      queueMicrotask(() => {
        if (form.contains(document.activeElement)) return;
        submit();
        close(false);
      });
    });
    this.#add.replaceWith(form);
    box.focus();
  }
}
