// The edits of load-test clients. They need no replica of the document: a rich-text editor knows the length
// alone, a json editor writes members of its own choice, and a yjs editor has a Y.Doc with its own text. So
// thousands of editors fit into one process, and a large document costs them nothing.
import * as Y from 'yjs';
import type { Json, KindName, Wire } from '../../../protocol/messages.ts';
import { below, pick, type Random } from '../../clients/random-edits.ts';
import type { Stroke } from './typing.ts';

export interface LoadEdits {
  /** A snapshot has replaced the content that commits had led to. */
  reset(snapshot: Wire): void;
  /** A committed patch, in the order of versions. */
  take(op: Wire): void;
  /** A patch made on the newest version taken (yjs: on the own patches before it). */
  next(stroke?: Stroke): Wire;
}

export interface EditSizes {
  /** The length at the beginning, around which the text is kept. */
  readonly initialLength: number;
  /** Characters that an edit puts in; 0: a word. */
  readonly characters: number;
}

export function loadEdits(kind: KindName, random: Random, sizes: EditSizes): LoadEdits {
  switch (kind) {
    case 'rich-text':
      return new LengthEdits(random, sizes);
    case 'json':
      return new MemberEdits(random, sizes);
    case 'yjs':
      return new OwnTextEdits(random, sizes);
  }
}

const TARGET_LENGTH = 2000;
/** Every character has one UTF-16 unit, so that no edit can cut one in two. */
const WORDS = ['the ', 'plan ', 'river ', 'a', 'n', 'e', ' ', 'é', '漢', 'zwölf ', '. ', '\n', 'shall we? '];
/** Share of the edits at which the cursor moves to another place. */
const MOVES = 0.1;
const DELETES = 0.2;
/** Edits of the text at most, when `characters` are given. */
const MOST_INSERTS = 4;

const textOf = (random: Random, characters: number): string =>
  characters === 0 ? pick(random, WORDS) : pick(random, LETTERS).repeat(characters);
const LETTERS = ['a', 'e', 'n', 'é'];

const mostLength = ({ initialLength, characters }: EditSizes): number =>
  Math.max(TARGET_LENGTH, MOST_INSERTS * characters) + initialLength;

class LengthEdits implements LoadEdits {
  readonly #random: Random;
  readonly #target: number;
  readonly #characters: number;
  /** In UTF-16 units, with the final newline. */
  #length = 1;
  #cursor = 0;

  constructor(random: Random, sizes: EditSizes) {
    this.#random = random;
    this.#target = mostLength(sizes);
    this.#characters = sizes.characters;
  }

  reset(snapshot: Wire): void {
    this.#length = 0;
    this.take(snapshot);
    this.#cursor = below(this.#random, this.#length);
  }

  take(op: Wire): void {
    for (const step of op as { insert?: unknown; delete?: number }[]) {
      if (typeof step.insert === 'string') this.#length += step.insert.length;
      else if (step.insert !== undefined) this.#length += 1;
      this.#length -= step.delete ?? 0;
    }
  }

  next(stroke?: Stroke): Wire {
    const random = this.#random;
    const points = this.#length - 1;
    if (stroke !== undefined) return this.#at(this.#cursor + stroke.move, stroke.deleted, stroke.inserted);
    if (random() < MOVES) this.#cursor = below(random, points + 1);
    if (points > 0 && (random() < DELETES || points > this.#target)) {
      const many = this.#characters === 0 ? 1 + below(random, 8) : this.#characters;
      return this.#at(this.#cursor - 1, many, '');
    }
    return this.#at(this.#cursor, 0, textOf(random, this.#characters));
  }

  /** The range is moved into the document where it is outside. */
  #at(position: number, deleted: number, inserted: string): Wire {
    const points = this.#length - 1;
    const from = Math.min(Math.max(position, 0), points);
    const many = Math.min(deleted, points - from);
    this.#cursor = from + inserted.length;
    const delta: { [key: string]: Json }[] = from > 0 ? [{ retain: from }] : [];
    if (inserted !== '') delta.push({ insert: inserted });
    if (many > 0) delta.push({ delete: many });
    if (inserted === '' && many === 0) delta.push({ insert: pick(this.#random, WORDS) });
    return delta;
  }
}

/** A board of cards, each a member with a text and a flag; the later of two writes wins. */
class MemberEdits implements LoadEdits {
  readonly #random: Random;
  readonly #characters: number;

  constructor(random: Random, { characters }: EditSizes) {
    this.#random = random;
    this.#characters = characters;
  }

  reset(): void {}

  take(): void {}

  next(): Wire {
    const random = this.#random;
    const text = `${textOf(random, this.#characters)}${below(random, 1000)}`;
    const value = { text, done: random() < 0.5 };
    return [{ op: 'add', path: `/card${below(random, 40)}`, value }];
  }
}

class OwnTextEdits implements LoadEdits {
  readonly #random: Random;
  readonly #doc = new Y.Doc({ gc: false });
  readonly #sizes: EditSizes;

  constructor(random: Random, sizes: EditSizes) {
    this.#random = random;
    this.#sizes = { ...sizes, initialLength: 0 };
    this.#doc.clientID = 1 + below(random, 2 ** 31);
  }

  reset(): void {}

  take(): void {}

  next(): Wire {
    const random = this.#random;
    const doc = this.#doc;
    const text = doc.getText('text');
    let made: Uint8Array | undefined;
    const keep = (update: Uint8Array) => {
      made = update;
    };
    doc.on('update', keep);
    const { characters } = this.#sizes;
    if (text.length > 0 && (random() < DELETES || text.length > mostLength(this.#sizes))) {
      const from = below(random, text.length);
      text.delete(from, Math.min(Math.max(1, characters), text.length - from));
    } else text.insert(below(random, text.length + 1), textOf(random, characters));
    doc.off('update', keep);
    if (made === undefined) throw new Error('a yjs edit produced no update');
    return made;
  }
}
