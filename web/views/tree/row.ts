// One value of a tree as an element: its key, its value, its menu, and below it the values that it contains.
// It reports edits; only the view passes them to the document. A row lives as long as its value is somewhere
// in the same object or list, so that an open text box stays at its value while others insert above it.
import type { Json, JsonStep } from '../../../client/index.ts';
import { equal } from '../../../kinds/json/value.ts';
import { el, icon, iconButton } from '../../dom.ts';
import { type MenuItem, openMenu } from '../../frame/menu.ts';
import { firstCharacters } from '../../graphemes.ts';
import { arrange } from '../board/arrange.ts';
import { editInline, type InlineEditor } from '../board/inline.ts';
import {
  addItem,
  addMember,
  isContainer,
  jsonOrText,
  type Key,
  matchItems,
  moveTo,
  type Path,
  partsOf,
  removeAt,
  replaceAt,
  summaryOf,
  typedValue,
  typeOf,
  wordsOf,
} from './model.ts';

export interface RowActions {
  /** Makes an edit. Returns false if it was refused, which the person has been told. */
  edit(patch: readonly JsonStep[]): boolean;
  notify(message: string): void;
  /** Content was deleted; the message offers to undo that. */
  offerUndo(message: string): void;
}

/** Rows that one object or list shows at first, and more on each request. */
const PAGE = 100;
/** Values below this depth, or with more parts, are closed at first. */
const OPEN_DEPTH = 3;
const OPEN_MOST = 30;
/** Characters of a text that are shown; an edit shows the whole text. */
const SHOWN_LENGTH = 1_000;
/** Longer than the longest text that fits into a patch. */
const MOST_LENGTH = 1_000_000;

export class TreeRow {
  readonly element = el('li', { class: 'tree-row' });
  readonly #actions: RowActions;
  readonly #parent: TreeRow | undefined;
  readonly #twist: HTMLButtonElement;
  readonly #label = el('span', { class: 'tree-key' });
  readonly #value: HTMLButtonElement;
  readonly #more: HTMLButtonElement;
  readonly #parts = el('ul', { class: 'tree-parts' });
  readonly #rest: HTMLButtonElement;
  readonly #add: HTMLButtonElement;
  readonly #below: HTMLElement;
  #rows: TreeRow[] = [];
  #editor: InlineEditor | undefined;
  #key: Key;
  #json: Json;
  #open: boolean;
  #shown = PAGE;

  constructor(actions: RowActions, parent: TreeRow | undefined, key: Key, value: Json) {
    this.#actions = actions;
    this.#parent = parent;
    this.#key = key;
    this.#json = value;
    this.#open =
      parent === undefined || (parent.depth < OPEN_DEPTH - 1 && partsOf(value).length <= OPEN_MOST);
    this.#twist = iconButton('chevron', 'Open', () => this.#toggle(), 'tree-twist');
    this.#value = el('button', {
      class: 'tree-value',
      attrs: { type: 'button' },
      on: { click: () => (isContainer(this.#json) ? this.#toggle() : this.editValue()) },
    });
    this.#more = iconButton(
      'more',
      'Actions',
      () => openMenu(this.#more, 'Actions', this.#menu()),
      'tree-more',
    );
    this.#more.setAttribute('aria-haspopup', 'menu');
    this.#rest = el('button', {
      class: 'tree-add',
      attrs: { type: 'button' },
      on: { click: () => this.#showMore() },
    });
    this.#add = el(
      'button',
      { class: 'tree-add tree-new', attrs: { type: 'button' }, on: { click: () => this.#addPart() } },
      icon('plus'),
      el('span'),
    );
    this.#below = el('div', { class: 'tree-below' }, this.#parts, this.#rest, this.#add);
    this.element.append(
      el(
        'div',
        { class: 'tree-line' },
        this.#twist,
        el('div', { class: 'tree-key-cell' }, this.#label),
        el('div', { class: 'tree-value-cell' }, this.#value),
        this.#more,
      ),
      this.#below,
    );
    this.update(key, value);
  }

  get depth(): number {
    return this.#parent === undefined ? 0 : this.#parent.depth + 1;
  }

  get path(): Path {
    return this.#parent === undefined ? [] : [...this.#parent.path, this.#key];
  }

  update(key: Key, value: Json): void {
    const before = this.#json;
    this.#key = key;
    this.#json = value;
    const name = this.#name;
    this.#label.textContent = typeof key === 'number' ? `${key + 1}.` : name;
    this.#label.toggleAttribute('data-index', typeof key === 'number');
    this.#value.textContent = firstCharacters(summaryOf(value), SHOWN_LENGTH) || 'empty';
    this.#value.dataset.type = typeOf(value);
    this.#value.toggleAttribute('data-empty', value === '');
    this.#value.setAttribute('aria-label', `${name}: ${this.#value.textContent}`);
    this.#value.title = isContainer(value) ? '' : `Edit (${typeOf(value)})`;
    this.#more.setAttribute('aria-label', `Actions for ${name}`);
    this.#drawParts(Array.isArray(before) && Array.isArray(value));
  }

  /**
   * Opens a box at the value. With `anyType` the words are read as JSON if they are JSON, also in place of a
   * text.
   */
  editValue(anyType = false): void {
    this.#write(
      this.#value,
      `Value of ${this.#name}`,
      anyType ? JSON.stringify(this.#json, null, 2) : wordsOf(this.#json),
      (words) => {
        const value = anyType ? jsonOrText(words) : typedValue(words, this.#json);
        this.#actions.edit(replaceAt(this.path, value));
      },
    );
  }

  /** Removes the row: its value is gone from the document. */
  remove(): void {
    for (const row of this.#rows) row.remove();
    if (this.#editor === undefined) return;
    this.#actions.notify('Someone deleted what you were editing.');
    this.#editor.cancel();
  }

  get #name(): string {
    if (this.#parent === undefined) return 'Document';
    return typeof this.#key === 'number' ? `Item ${this.#key + 1}` : this.#key || 'no name';
  }

  /**
   * Draws the parts. With `asList` it is the same list as before, so its items' rows are found again at their
   * new places.
   */
  #drawParts(asList: boolean): void {
    const container = isContainer(this.#json);
    this.#twist.hidden = !container || this.#parent === undefined;
    this.#twist.setAttribute('aria-expanded', String(this.#open));
    this.#twist.setAttribute('aria-label', `${this.#open ? 'Close' : 'Open'} ${this.#name}`);
    this.#below.hidden = !container || !this.#open;
    const all = container && this.#open ? partsOf(this.#json) : [];
    const parts = all.slice(0, this.#shown);
    const found = asList ? this.#sameItems(parts) : this.#sameMembers(parts);
    const kept = new Set(found);
    for (const row of this.#rows) if (!kept.has(row)) row.remove();
    this.#rows = parts.map(([key, value], index) => {
      const row = found[index];
      if (row === undefined) return new TreeRow(this.#actions, this, key, value);
      row.update(key, value);
      return row;
    });
    arrange(
      this.#parts,
      this.#rows.map(({ element }) => element),
    );
    this.#rest.hidden = all.length <= parts.length;
    this.#rest.textContent = `Show more (${all.length - parts.length} left)`;
    this.#add.lastElementChild?.replaceChildren(Array.isArray(this.#json) ? 'Add item' : 'Add member');
    this.#add.setAttribute('aria-label', `${this.#add.textContent} to ${this.#name}`);
  }

  #sameItems(parts: readonly (readonly [Key, Json])[]): (TreeRow | undefined)[] {
    const before = this.#rows.map((row) => row.#json);
    const after = parts.map(([, value]) => value);
    return matchItems(before, after, (one, other) => one === other || equal(one, other)).map((index) =>
      index === undefined ? undefined : this.#rows[index],
    );
  }

  #sameMembers(parts: readonly (readonly [Key, Json])[]): (TreeRow | undefined)[] {
    const rows = new Map(this.#rows.map((row) => [row.#key, row]));
    return parts.map(([key]) => rows.get(key));
  }

  #toggle(): void {
    if (this.#parent === undefined) return;
    this.#open = !this.#open;
    this.#drawParts(false);
  }

  #showMore(): void {
    this.#shown += PAGE;
    const first = this.#rows.length;
    this.#drawParts(false);
    const next = this.#rows[first];
    if (next !== undefined) next.#value.focus();
  }

  #addPart(): void {
    if (Array.isArray(this.#json)) {
      this.#writeNew(`New item of ${this.#name}`, 'Value', (words) => {
        this.#actions.edit(addItem(this.path, jsonOrText(words)));
      });
      return;
    }
    this.#writeNew(`Name of a new member of ${this.#name}`, 'Name', (name) => {
      if (this.#has(name)) this.#actions.notify(`There is a member “${name}” already.`);
      else if (this.#actions.edit(addMember(this.path, name, null)))
        this.#rows.find((row) => row.#key === name)?.editValue();
    });
  }

  #rename(): void {
    const parent = this.#parent;
    if (parent === undefined) return;
    this.#write(this.#label, `Name of ${this.#name}`, String(this.#key), (name) => {
      if (parent.#has(name)) this.#actions.notify(`There is a member “${name}” already.`);
      else this.#actions.edit(moveTo(this.path, [...parent.path, name]));
    });
  }

  #has(name: string): boolean {
    return isContainer(this.#json) && Object.hasOwn(this.#json, name);
  }

  #menu(): MenuItem[] {
    const { path } = this;
    const items: MenuItem[] = [];
    const parent = this.#parent;
    if (!isContainer(this.#json)) items.push({ label: 'Edit', run: () => this.editValue() });
    items.push({ label: 'Edit as JSON', detail: 'Any type', run: () => this.editValue(true) });
    if (parent === undefined) return items;
    const key = this.#key;
    if (typeof key === 'string') items.push({ label: 'Rename', run: () => this.#rename() });
    else {
      const to = (index: number) => () => void this.#actions.edit(moveTo(path, [...parent.path, index]));
      if (key > 0) items.push({ label: 'Move up', run: to(key - 1) });
      if (key < partsOf(parent.#json).length - 1) items.push({ label: 'Move down', run: to(key + 1) });
    }
    const remove = (): void => {
      const name = this.#name;
      if (this.#actions.edit(removeAt(this.path))) this.#actions.offerUndo(`“${name}” deleted.`);
    };
    items.push({ label: 'Delete', danger: true, run: remove });
    return items;
  }

  /** Opens a box in the place of `target`, a part of this row. */
  #write(target: HTMLElement, label: string, value: string, done: (words: string) => void): void {
    this.#editor = editInline(target, {
      label,
      value,
      maxLength: MOST_LENGTH,
      verbatim: true,
      done: (words) => {
        this.#editor = undefined;
        if (words !== undefined) done(words);
        if (this.element.isConnected && document.activeElement === document.body) this.#value.focus();
      },
    });
  }

  #writeNew(label: string, placeholder: string, done: (words: string) => void): void {
    this.#editor = editInline(this.#add, {
      label,
      value: '',
      placeholder,
      maxLength: MOST_LENGTH,
      verbatim: true,
      done: (words) => {
        this.#editor = undefined;
        if (words !== undefined) done(words);
        if (document.activeElement === document.body) this.#add.focus();
      },
    });
  }
}
