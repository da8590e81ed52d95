// Others' carets and selections over the text. Positions come from the SDK, which moves them along
// with every edit; a name shows while its caret moves and for a moment after.
import type { RichTextDocument } from '../../client/index.ts';
import { type PresenceData, readPresence } from '../people.ts';
import type { Quill, QuillCursors } from './quill.ts';

const NAME_SHOWN_MS = 2_000;

interface Shown {
  readonly look: string;
  index: number;
  length: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export interface CursorPlaces {
  /** Where a position of the document stands in the editor. */
  position(position: number): number;
  /** Everyone in the document, by client id. */
  people(): ReadonlyMap<string, PresenceData>;
}

export class Cursors {
  readonly #layer: QuillCursors;
  readonly #doc: RichTextDocument;
  readonly #quill: Quill;
  readonly #places: CursorPlaces;
  readonly #shown = new Map<string, Shown>();

  constructor(quill: Quill, doc: RichTextDocument, places: CursorPlaces) {
    this.#quill = quill;
    this.#layer = quill.getModule('cursors') as QuillCursors;
    this.#doc = doc;
    this.#places = places;
  }

  /** Shows the cursors as the document has them now. */
  update(): void {
    const end = this.#quill.getLength() - 1;
    const people = this.#places.people();
    for (const client of this.#shown.keys()) if (!this.#doc.cursors.has(client)) this.#remove(client);
    for (const [client, cursor] of this.#doc.cursors) {
      const index = Math.min(this.#places.position(cursor.index), end);
      const length = Math.min(this.#places.position(cursor.index + cursor.length), end) - index;
      const { name, colour } = people.get(client) ?? readPresence(client, cursor.data);
      this.#move(client, name, colour, index, Math.max(0, length));
    }
  }

  /** Brings someone's caret into view. False where there is none. */
  reveal(client: string): boolean {
    const shown = this.#shown.get(client);
    const bounds = shown === undefined ? null : this.#quill.getBounds(shown.index);
    if (shown === undefined || bounds === null) return false;
    const top = this.#quill.container.getBoundingClientRect().top + bounds.top + window.scrollY;
    const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    window.scrollTo({ top: top - window.innerHeight / 2, behavior: still ? 'auto' : 'smooth' });
    this.#showName(client, shown);
    return true;
  }

  #move(client: string, name: string, colour: string, index: number, length: number): void {
    const look = `${colour} ${name}`;
    let shown = this.#shown.get(client);
    if (shown?.look !== look) {
      this.#remove(client);
      this.#layer.createCursor(client, name, colour);
      shown = { look, index: -1, length: 0, timer: undefined };
      this.#shown.set(client, shown);
    }
    const moved = shown.index !== index || shown.length !== length;
    shown.index = index;
    shown.length = length;
    this.#layer.moveCursor(client, { index, length });
    if (moved) this.#showName(client, shown);
  }

  #showName(client: string, shown: Shown): void {
    clearTimeout(shown.timer);
    this.#layer.toggleFlag(client, true);
    shown.timer = setTimeout(() => this.#layer.toggleFlag(client, false), NAME_SHOWN_MS);
  }

  #remove(client: string): void {
    clearTimeout(this.#shown.get(client)?.timer);
    if (this.#shown.delete(client)) this.#layer.removeCursor(client);
  }
}
