// The edits of load-test clients. They need no replica of the document: a rich-text editor knows the length
// alone, a json editor writes members of its own choice, and a yjs editor has a Y.Doc with its own text. So
// thousands of editors fit into one process, and a large document costs them nothing.
import * as Y from 'yjs';
import type { Json, KindName, Wire } from '../../protocol/messages.ts';
import { below, pick, type Random } from '../clients/random-edits.ts';
import type { Stroke } from './typing.ts';

export interface LoadEdits {
  /** A snapshot has replaced the content that commits had led to. */
  reset(snapshot: Wire): void;
  /** A committed patch, in the order of versions. */
  take(op: Wire): void;
  /** A patch made on the newest version taken (yjs: on the own patches before it). */
  next(stroke?: Stroke): Wire;
}

/** `initialLength`: the length at the beginning, around which the text is kept. */
export function loadEdits(kind: KindName, random: Random, initialLength: number): LoadEdits {
  switch (kind) {
    case 'rich-text':
      return new LengthEdits(random, initialLength);
    case 'json':
      return new MemberEdits(random);
    case 'yjs':
      return new OwnTextEdits(random);
  }
}

const TARGET_LENGTH = 2000;
/** Every character has one UTF-16 unit, so that no edit can cut one in two. */
const WORDS = ['the ', 'plan ', 'river ', 'a', 'n', 'e', ' ', 'é', '漢', 'zwölf ', '. ', '\n', 'shall we? '];
/** Share of the edits at which the cursor moves to another place. */
const MOVES = 0.1;
const DELETES = 0.2;

class LengthEdits implements LoadEdits {
  readonly #random: Random;
  readonly #target: number;
  /** In UTF-16 units, with the final newline. */
  #length = 1;
  #cursor = 0;

  constructor(random: Random, initialLength: number) {
    this.#random = random;
    this.#target = TARGET_LENGTH + initialLength;
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
    if (points > 0 && (random() < DELETES || points > this.#target))
      return this.#at(this.#cursor - 1, 1 + below(random, 8), '');
    return this.#at(this.#cursor, 0, pick(random, WORDS));
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

  constructor(random: Random) {
    this.#random = random;
  }

  reset(): void {}

  take(): void {}

  next(): Wire {
    const random = this.#random;
    const value = { text: `${pick(random, WORDS)}${below(random, 1000)}`, done: random() < 0.5 };
    return [{ op: 'add', path: `/card${below(random, 40)}`, value }];
  }
}

class OwnTextEdits implements LoadEdits {
  readonly #random: Random;
  readonly #doc = new Y.Doc({ gc: false });

  constructor(random: Random) {
    this.#random = random;
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
    if (text.length > 0 && (random() < DELETES || text.length > TARGET_LENGTH))
      text.delete(below(random, text.length), 1);
    else text.insert(below(random, text.length + 1), pick(random, WORDS));
    doc.off('update', keep);
    if (made === undefined) throw new Error('a yjs edit produced no update');
    return made;
  }
}
