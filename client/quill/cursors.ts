// Others' carets and selections over the text, drawn by the module `cursors` (quill-cursors) if the editor
// has it. Positions come from the SDK, which moves them along with every edit. A name shows while its caret
// moves and for a moment after.
import type Quill from 'quill';
import type { Json } from '../../protocol/messages.ts';
import type { RichTextDocument } from '../index.ts';

const NAME_SHOWN_MS = 2_000;
const FALLBACK_COLOR = '#475569';

export interface Person {
  readonly name: string;
  /** A CSS colour. */
  readonly color: string;
}

/** The parts of quill-cursors that this file uses. */
interface CursorLayer {
  createCursor(id: string, name: string, color: string): unknown;
  moveCursor(id: string, range: { index: number; length: number }): void;
  removeCursor(id: string): void;
  toggleFlag(id: string, shown?: boolean): void;
}

interface Shown {
  readonly look: string;
  index: number;
  length: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export interface CursorOptions {
  /** The position in the editor of a position in the document. */
  position(position: number): number;
  person(client: string, data: Json): Person;
}

/** The person in presence data `{name, color}`; the client id replaces a missing name. */
export function personIn(client: string, data: Json): Person {
  const { name, color } = typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {};
  return {
    name: typeof name === 'string' && name !== '' ? name : `Guest ${client.slice(0, 4)}`,
    // Only a colour is accepted: the module writes the value into a style.
    color:
      typeof color === 'string' && /^(#[0-9a-f]{3,8}|[a-z]{3,20})$/i.test(color) ? color : FALLBACK_COLOR,
  };
}

export class Cursors {
  readonly #layer: CursorLayer | undefined;
  readonly #doc: RichTextDocument;
  readonly #quill: Quill;
  readonly #options: CursorOptions;
  readonly #shown = new Map<string, Shown>();

  constructor(quill: Quill, doc: RichTextDocument, options: CursorOptions) {
    this.#quill = quill;
    this.#layer = (quill.getModule('cursors') ?? undefined) as CursorLayer | undefined;
    this.#doc = doc;
    this.#options = options;
  }

  /** Shows the cursors as the document has them now. */
  update(): void {
    if (this.#layer === undefined) return;
    const end = this.#quill.getLength() - 1;
    const { cursors } = this.#doc;
    for (const client of this.#shown.keys()) if (!cursors.has(client)) this.#remove(client);
    for (const [client, cursor] of cursors) {
      const index = Math.min(this.#options.position(cursor.index), end);
      const length = Math.min(this.#options.position(cursor.index + cursor.length), end) - index;
      const { name, color } = this.#options.person(client, cursor.data);
      this.#move(this.#layer, client, name, color, index, Math.max(0, length));
    }
  }

  /**
   * The position of a client's caret as shown; also shows its name for a moment. Undefined if there is no
   * caret.
   */
  find(client: string): number | undefined {
    const shown = this.#shown.get(client);
    if (shown === undefined) return undefined;
    this.#showName(client, shown);
    return shown.index;
  }

  clear(): void {
    for (const client of [...this.#shown.keys()]) this.#remove(client);
  }

  #move(
    layer: CursorLayer,
    client: string,
    name: string,
    color: string,
    index: number,
    length: number,
  ): void {
    const look = `${color} ${name}`;
    let shown = this.#shown.get(client);
    if (shown?.look !== look) {
      this.#remove(client);
      layer.createCursor(client, name, color);
      shown = { look, index: -1, length: 0, timer: undefined };
      this.#shown.set(client, shown);
    }
    const moved = shown.index !== index || shown.length !== length;
    shown.index = index;
    shown.length = length;
    layer.moveCursor(client, { index, length });
    if (moved) this.#showName(client, shown);
  }

  #showName(client: string, shown: Shown): void {
    clearTimeout(shown.timer);
    this.#layer?.toggleFlag(client, true);
    shown.timer = setTimeout(() => this.#layer?.toggleFlag(client, false), NAME_SHOWN_MS);
  }

  #remove(client: string): void {
    clearTimeout(this.#shown.get(client)?.timer);
    if (this.#shown.delete(client)) this.#layer?.removeCursor(client);
  }
}
