// The view of a task board: draws the model and turns people's actions into patches. Cards and columns are
// elements of their own; model.ts owns the meaning of the document's members.
import type { JsonDocument, JsonStep } from '../../../client/index.ts';
import { el, icon } from '../../dom.ts';
import { type MenuItem, openMenu } from '../../frame/menu.ts';
import {
  everyone,
  type Me,
  type Person,
  randomBelow,
  readPresence,
  writePresence,
} from '../../frame/people.ts';
import { JsonEdits } from '../json-edits.ts';
import type { DocumentView, ViewEvents } from '../view.ts';
import { arrange, gliding, keepingFocus } from './arrange.ts';
import { CardElement } from './card.ts';
import { ColumnElement } from './column.ts';
import { enableDragging } from './drag.ts';
import { editInline } from './inline.ts';
import {
  addCard,
  addColumn,
  type Board,
  findCard,
  moveCard,
  moveColumn,
  readBoard,
  removeCard,
  removeColumn,
  renameBoard,
  renameCard,
  renameColumn,
  TITLE_LENGTH,
} from './model.ts';

const random = (): number => Math.random();
const ID_ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';
const newId = (): string => Array.from({ length: 12 }, () => ID_ALPHABET[randomBelow(36)]).join('');

export class BoardView implements DocumentView {
  readonly element = el('main', { class: 'board-view' });
  readonly untitled = 'Untitled board';
  title = '';
  readonly #doc: JsonDocument;
  readonly #events: ViewEvents;
  readonly #edits: JsonEdits;
  readonly #heading: HTMLButtonElement;
  readonly #summary = el('p', { class: 'board-summary' });
  readonly #strip = el('div', { class: 'strip' });
  readonly #addColumn: HTMLButtonElement;
  readonly #columns = new Map<string, ColumnElement>();
  readonly #cards = new Map<string, CardElement>();
  #board: Board = { title: '', columns: [] };
  #me: Me;
  #visible = false;
  #loaded = false;
  #cardInHand: string | undefined;

  constructor(doc: JsonDocument, me: Me, events: ViewEvents) {
    this.#doc = doc;
    this.#me = me;
    this.#events = events;
    this.#edits = new JsonEdits(doc, events, () => this.#draw());
    this.#heading = el('button', {
      class: 'board-title',
      title: 'Rename the board',
      attrs: { type: 'button' },
      on: { click: () => this.#renameBoard() },
    });
    this.#addColumn = el(
      'button',
      { class: 'add-column', attrs: { type: 'button' }, on: { click: () => this.#newColumn() } },
      icon('plus'),
      el('span', { text: 'Add column' }),
    );
    this.element.append(el('div', { class: 'board-head' }, this.#heading, this.#summary), this.#strip);
    this.element.inert = true;
    this.element.addEventListener('focusin', () => this.#tellCard());
    this.element.addEventListener('focusout', () => queueMicrotask(() => this.#tellCard()));
    enableDragging(this.element, this.#strip, {
      drop: (card, { column, before }) => {
        if (before !== card) this.#move(card, column, before);
      },
    });
  }

  ready(): void {
    this.#loaded = true;
    this.#doc.presence.on('change', () => this.#drawPeople());
    this.#edits.begin(() => this.#allow());
  }

  shown(): void {
    this.#visible = true;
    this.#doc.presence.set(writePresence(this.#me));
    if (this.#loaded) this.#edits.draw();
  }

  hidden(): void {
    this.#visible = false;
    this.#doc.presence.set(null);
  }

  setMe(me: Me): void {
    this.#me = me;
    if (this.#visible) this.#doc.presence.set(writePresence(me, this.#cardInHand));
  }

  reveal(client: string): void {
    const { card } = readPresence(client, this.#doc.presence.states.get(client) ?? null);
    const element = card === undefined ? undefined : this.#cards.get(card)?.element;
    element?.scrollIntoView({ block: 'nearest', inline: 'center', behavior: 'smooth' });
  }

  #allow(): void {
    this.element.inert = !this.#edits.mayEdit || this.#doc.state === 'closed';
  }

  #edit(patch: readonly JsonStep[]): boolean {
    return patch.length > 0 && this.#edits.make(patch);
  }

  #draw(): void {
    this.#board = readBoard(this.#doc.content);
    if (this.#board.title !== this.title) {
      this.title = this.#board.title;
      this.#events.titleChanged();
    }
    if (!this.#visible) return;
    this.#heading.textContent = this.title || this.untitled;
    this.#heading.toggleAttribute('data-untitled', this.title === '');
    const total = this.#board.columns.reduce((sum, column) => sum + column.cards.length, 0);
    this.#summary.textContent =
      total === 0 ? 'No cards yet. Add the first one below.' : `${total} ${total === 1 ? 'card' : 'cards'}`;
    const elements = [...this.#cards.values()].map((card) => card.element);
    keepingFocus(() => gliding(elements, () => this.#arrange()));
    this.#drawPeople();
  }

  #arrange(): void {
    const left = { columns: new Set(this.#columns.keys()), cards: new Set(this.#cards.keys()) };
    for (const column of this.#board.columns) {
      const element = this.#column(column.id);
      left.columns.delete(column.id);
      element.update(column);
      for (const card of column.cards) {
        left.cards.delete(card.id);
        this.#card(card.id).update(card);
      }
      arrange(
        element.list,
        column.cards.map(({ id }) => this.#card(id).element),
      );
    }
    for (const id of left.cards) this.#dropCard(id);
    for (const id of left.columns) this.#columns.delete(id);
    arrange(this.#strip, [...this.#board.columns.map(({ id }) => this.#column(id).element), this.#addColumn]);
  }

  #dropCard(id: string): void {
    const card = this.#cards.get(id);
    this.#cards.delete(id);
    if (card?.editing === true) this.#events.notify('Someone deleted the card you were editing.');
    card?.remove();
  }

  #drawPeople(): void {
    const visitors = new Map<string, Person[]>();
    for (const { name, colour, card } of everyone(this.#me, this.#doc.presence.states).values()) {
      if (card !== undefined) visitors.set(card, [...(visitors.get(card) ?? []), { name, colour }]);
    }
    for (const [id, card] of this.#cards) card.setPeople(visitors.get(id) ?? []);
  }

  /** Sends the card of this person to the others. */
  #tellCard(): void {
    const focused = document.activeElement;
    const card =
      focused instanceof Element ? focused.closest<HTMLElement>('[data-card]')?.dataset.card : undefined;
    if (card === this.#cardInHand || !this.#visible) return;
    this.#cardInHand = card;
    this.#doc.presence.set(writePresence(this.#me, card));
  }

  #column(id: string): ColumnElement {
    let element = this.#columns.get(id);
    if (element === undefined) {
      element = new ColumnElement(id, {
        rename: (column, title) => {
          const found = this.#board.columns.find((candidate) => candidate.id === column);
          if (found !== undefined) this.#edit(renameColumn(found, title));
        },
        addCard: (column, title) => {
          this.#edit(addCard(this.#board, newId(), column, title, { before: undefined }, random));
        },
        menu: (column, anchor) => openMenu(anchor, 'Column actions', this.#columnMenu(column)),
      });
      this.#columns.set(id, element);
    }
    return element;
  }

  #card(id: string): CardElement {
    let element = this.#cards.get(id);
    if (element === undefined) {
      element = new CardElement(id, {
        rename: (card, title) => void this.#edit(renameCard(card, title)),
        menu: (card, anchor) => openMenu(anchor, 'Card actions', this.#cardMenu(card)),
        key: (card, event) => this.#key(card, event),
      });
      this.#cards.set(id, element);
    }
    return element;
  }

  #renameBoard(): void {
    editInline(this.#heading, {
      label: 'Board title',
      value: this.title,
      maxLength: TITLE_LENGTH,
      placeholder: this.untitled,
      done: (title) => {
        if (title !== undefined) this.#edit(renameBoard(title));
        this.#heading.focus();
      },
    });
  }

  #newColumn(): void {
    const id = newId();
    if (!this.#edit(addColumn(this.#board, id, 'New column', random))) return;
    this.#columns.get(id)?.rename();
    this.#columns.get(id)?.element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  #columnMenu(id: string): MenuItem[] {
    const index = this.#board.columns.findIndex((column) => column.id === id);
    const column = this.#board.columns[index];
    if (column === undefined) return [];
    const items: MenuItem[] = [{ label: 'Rename', run: () => this.#columns.get(id)?.rename() }];
    if (index > 0) {
      items.push({ label: 'Move left', run: () => void this.#edit(moveColumn(this.#board, id, -1, random)) });
    }
    if (index < this.#board.columns.length - 1) {
      items.push({ label: 'Move right', run: () => void this.#edit(moveColumn(this.#board, id, 1, random)) });
    }
    const count = column.cards.length;
    const label =
      count === 0 ? 'Delete column' : `Delete column and ${count === 1 ? '1 card' : `${count} cards`}`;
    const remove = (): void => {
      const now = this.#board.columns.find((candidate) => candidate.id === id);
      if (now !== undefined && this.#edit(removeColumn(now))) this.#events.offerUndo('Column deleted.');
    };
    items.push({ label, danger: true, run: remove });
    return items;
  }

  #cardMenu(id: string): MenuItem[] {
    const found = findCard(this.#board, id);
    if (found === undefined) return [];
    const items: MenuItem[] = [
      { label: 'Edit title', keys: 'Enter', run: () => this.#cards.get(id)?.edit() },
    ];
    if (found.index > 0) items.push({ label: 'Move up', keys: 'Alt ↑', run: () => this.#step(id, 0, -1) });
    if (found.index < found.column.cards.length - 1) {
      items.push({ label: 'Move down', keys: 'Alt ↓', run: () => this.#step(id, 0, 1) });
    }
    for (const column of this.#board.columns) {
      if (column.id === found.column.id) continue;
      items.push({
        label: `Move to ${column.title || 'Untitled column'}`,
        run: () => this.#move(id, column.id, undefined),
      });
    }
    items.push({ label: 'Delete', keys: 'Del', danger: true, run: () => this.#remove(id) });
    return items;
  }

  #key(id: string, event: KeyboardEvent): void {
    const arrows: Record<string, readonly [number, number]> = {
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
    };
    const arrow = arrows[event.key];
    if (event.ctrlKey || event.metaKey) return;
    if (arrow !== undefined && event.altKey) this.#step(id, ...arrow);
    else if (arrow !== undefined) this.#walk(id, ...arrow);
    else if (event.key === 'Enter' || event.key === 'F2') this.#cards.get(id)?.edit();
    else if (event.key === 'Delete' || event.key === 'Backspace') this.#remove(id);
    else return;
    event.preventDefault();
  }

  /** Moves the focus to the neighbouring card. */
  #walk(id: string, columns: number, cards: number): void {
    const found = findCard(this.#board, id);
    if (found === undefined) return;
    const at = this.#board.columns.indexOf(found.column);
    if (columns === 0) {
      const next = found.column.cards[found.index + cards];
      if (next !== undefined) this.#cards.get(next.id)?.element.focus();
      return;
    }
    for (let index = at + columns; this.#board.columns[index] !== undefined; index += columns) {
      const cardsThere = this.#board.columns[index]?.cards ?? [];
      const next = cardsThere[Math.min(found.index, cardsThere.length - 1)];
      if (next === undefined) continue;
      this.#cards.get(next.id)?.element.focus();
      return;
    }
  }

  /** Moves a card one place up or down, or to the neighbouring column at the same height. */
  #step(id: string, columns: number, cards: number): void {
    const found = findCard(this.#board, id);
    if (found === undefined) return;
    const column = this.#board.columns[this.#board.columns.indexOf(found.column) + columns];
    const index = found.index + cards;
    if (column === undefined || index < 0 || (columns === 0 && index >= column.cards.length)) return;
    const others = column.cards.filter((card) => card.id !== id);
    this.#move(id, column.id, others[index]?.id);
  }

  #move(id: string, column: string, before: string | undefined): void {
    const from = findCard(this.#board, id);
    if (from === undefined) return;
    const stays = from.column.id === column && from.column.cards[from.index + 1]?.id === before;
    if (stays || !this.#edit(moveCard(this.#board, id, column, { before }, random))) return;
    const to = findCard(this.#board, id);
    this.#cards.get(id)?.element.focus({ preventScroll: true });
    this.#cards.get(id)?.element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    if (to === undefined) return;
    const place = `${to.index + 1} of ${to.column.cards.length}`;
    this.#events.announce(`Moved to ${to.column.title}, ${place}.`);
  }

  #remove(id: string): void {
    const found = findCard(this.#board, id);
    if (found === undefined) return;
    const next = found.column.cards[found.index + 1] ?? found.column.cards[found.index - 1];
    if (!this.#edit(removeCard(id))) return;
    if (next !== undefined) this.#cards.get(next.id)?.element.focus();
    this.#events.offerUndo('Card deleted.');
  }
}
