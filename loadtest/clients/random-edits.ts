// The edits of virtual editors: small, realistic, random patches of each kind, made on the document as its
// commits left it. Determined by the given random numbers alone.
import * as Y from 'yjs';
import type { Json, KindName, Wire } from '../../protocol/messages.ts';
import type { Replica } from '../checker/replica.ts';
import { CodePointText, type DeltaStep } from './code-points.ts';

/** In [0, 1). */
export type Random = () => number;

export interface EditSource {
  /** A patch made on the replica's version (for yjs: on that and on the earlier patches of this source). */
  next(replica: Replica): Wire;
  /** A committed patch, after the replica took it. */
  take(op: Wire): void;
  /**
   * Begins anew at the replica: at the first snapshot, at a later one, and when a patch of this source was
   * lost.
   */
  reset(replica: Replica): void;
}

/** Approximate length of documents, above which editors mostly delete. Characters, or members of a list. */
export const TARGET_LENGTH = { text: 2000, list: 40 } as const;

export function editSource(kind: KindName, random: Random): EditSource {
  switch (kind) {
    case 'rich-text':
      return new RichTextEdits(random);
    case 'json':
      return new JsonEdits(random);
    case 'yjs':
      return new YjsEdits(random);
  }
}

/** One edit of the text `text` of a Y.Doc, as one transaction. */
export function editText(doc: Y.Doc, random: Random): void {
  doc.transact(() => {
    const text = doc.getText('text');
    const position = below(random, text.length + 1);
    const rest = text.length - position;
    if (rest > 0 && (random() < 0.25 || text.length > TARGET_LENGTH.text)) {
      text.delete(position, 1 + below(random, Math.min(rest, 8)));
    } else text.insert(position, pick(random, WORDS));
  });
}

/** mulberry32: the same seed gives the same numbers. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const below = (random: Random, bound: number): number => Math.floor(random() * bound);

export function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[below(random, choices.length)];
  if (choice === undefined) throw new RangeError('nothing to pick from');
  return choice;
}

const WORDS = [
  'plan ',
  'river ',
  'the ',
  'a',
  'é',
  '😀',
  'zwölf ',
  '\n',
  'shall we? ',
  '漢字',
  '👨‍👩‍👧',
  'n',
  'o',
  't',
];

/** Types, deletes, replaces and formats, never cutting a character in two. */
class RichTextEdits implements EditSource {
  readonly #random: Random;
  #text = new CodePointText();

  constructor(random: Random) {
    this.#random = random;
  }

  reset(replica: Replica): void {
    this.#text = new CodePointText();
    this.take(replica.content());
  }

  take(op: Wire): void {
    if (Array.isArray(op)) this.#text.applyDelta(op as DeltaStep[]);
  }

  next(): Wire {
    const random = this.#random;
    const text = this.#text;
    /** The length without the final newline. */
    const points = text.points - 1;
    const from = below(random, points + 1);
    const rest = points - from;
    const dice = random();
    const before = text.range(0, from).deleted;
    const retain: { [key: string]: Json }[] = before > 0 ? [{ retain: before }] : [];
    const span = (most: number) => text.range(from, 1 + below(random, Math.min(rest, most))).deleted;
    if (rest > 0 && (dice < 0.2 || points > TARGET_LENGTH.text)) {
      return [...retain, { delete: span(dice < 0.02 ? 60 : 8) }];
    }
    if (rest > 0 && dice < 0.3) {
      const attributes = pick<{ [key: string]: Json }>(random, [
        { bold: true },
        { italic: true },
        { bold: null },
      ]);
      return [...retain, { retain: span(20), attributes }];
    }
    if (rest > 0 && dice < 0.4) return [...retain, { insert: pick(random, WORDS) }, { delete: span(1) }];
    if (dice < 0.42) return [...retain, { insert: { image: 'a.png' } }];
    return [...retain, { insert: pick(random, WORDS) }];
  }
}

/** A task board: `{title, tasks: [{text, done}], votes: {…}}`. */
class JsonEdits implements EditSource {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  reset(): void {}

  take(): void {}

  next(replica: Replica): Wire {
    const random = this.#random;
    const content = replica.content() as { tasks?: { text: string }[]; votes?: Record<string, number> };
    const task = () => ({ text: pick(random, WORDS), done: random() < 0.5 });
    if (!Array.isArray(content.tasks)) return [{ op: 'add', path: '/tasks', value: [task()] }];
    if (content.votes === undefined) return [{ op: 'add', path: '/votes', value: {} }];
    const { length } = content.tasks;
    const dice = random();
    if (length > 0 && (dice < 0.15 || length > TARGET_LENGTH.list)) {
      return [{ op: 'remove', path: `/tasks/${below(random, length)}` }];
    }
    if (length > 0 && dice < 0.4) {
      return [{ op: 'replace', path: `/tasks/${below(random, length)}/text`, value: pick(random, WORDS) }];
    }
    if (length > 1 && dice < 0.5) {
      return [
        { op: 'move', from: `/tasks/${below(random, length)}`, path: `/tasks/${below(random, length)}` },
      ];
    }
    if (length > 0 && dice < 0.6) {
      const at = below(random, length);
      const text = content.tasks[at]?.text ?? null;
      return [
        { op: 'test', path: `/tasks/${at}/text`, value: text },
        { op: 'replace', path: `/tasks/${at}/done`, value: random() < 0.5 },
      ];
    }
    if (dice < 0.75) return [{ op: 'add', path: `/votes/m${below(random, 20)}`, value: below(random, 100) }];
    if (dice < 0.8) return [{ op: 'add', path: '/title', value: pick(random, WORDS) }];
    if (dice < 0.9) return [{ op: 'add', path: '/tasks/-', value: task() }];
    return [{ op: 'add', path: `/tasks/${below(random, length + 1)}`, value: task() }];
  }
}

/** A Y.Doc of its own, edited at random; its updates are the patches. */
class YjsEdits implements EditSource {
  readonly #random: Random;
  #doc = new Y.Doc();

  constructor(random: Random) {
    this.#random = random;
  }

  reset(replica: Replica): void {
    this.#doc = new Y.Doc();
    this.#doc.clientID = 1 + below(this.#random, 2 ** 31);
    this.#apply(replica.content());
  }

  take(op: Wire): void {
    this.#apply(op);
  }

  next(): Wire {
    const doc = this.#doc;
    const random = this.#random;
    let made: Uint8Array | undefined;
    const keep = (update: Uint8Array) => {
      made = update;
    };
    doc.on('update', keep);
    editText(doc, random);
    doc.off('update', keep);
    if (made === undefined) throw new Error('a yjs edit produced no update');
    return made;
  }

  #apply(update: Wire): void {
    if (update instanceof Uint8Array) Y.applyUpdate(this.#doc, update);
  }
}
