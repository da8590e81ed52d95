// Random JSON documents and patches from a seed. Owns the input of the property tests of the kind `json`:
// digit keys, `-`, escapes, lists of lists, root writes, and places that do not exist.
import type { Json } from '../../../protocol/messages.ts';

export type Random = (below: number) => number;

/** mulberry32: the same seed gives the same numbers everywhere. */
export function randomOf(seed: number): Random {
  let a = seed >>> 0;
  return (below) => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

const KEYS = ['a', 'b', 'c', '0', '1', '-', 'x/y', '~1'] as const;

export const pick = <T>(random: Random, from: readonly T[]): T => {
  const item = from[random(from.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};

export function randomValue(random: Random, depth: number): Json {
  const shape = random(depth > 0 ? 5 : 2);
  if (shape === 0) return random(1000);
  if (shape === 1) return pick(random, ['', 'text', 'é"\n', '😀', true, null, -0.5]);
  if (shape < 4) return Array.from({ length: random(4) }, () => randomValue(random, depth - 1));
  const out: { [key: string]: Json } = {};
  for (let i = random(4); i > 0; i--) out[pick(random, KEYS)] = randomValue(random, depth - 1);
  return out;
}

export function randomDocument(random: Random): Json {
  return {
    a: [1, 2, [3, 4]],
    b: { '0': 1, '1': [5, 6], a: randomValue(random, 2) },
    c: Array.from({ length: random(4) }, () => randomValue(random, 2)),
    '0': randomValue(random, 2),
  };
}

interface Places {
  /** The pointers of all values except the root. */
  readonly values: string[];
  /** The pointers of all places for a new value. */
  readonly slots: string[];
}

const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

function collect(value: Json, at: string, random: Random, into: Places): Places {
  if (Array.isArray(value)) {
    value.forEach((item, i) => {
      into.values.push(`${at}/${i}`);
      into.slots.push(`${at}/${i}`);
      collect(item, `${at}/${i}`, random, into);
    });
    into.slots.push(`${at}/${value.length}`, `${at}/-`);
  } else if (typeof value === 'object' && value !== null) {
    for (const key of Object.keys(value)) {
      into.values.push(`${at}/${escaped(key)}`);
      into.slots.push(`${at}/${escaped(key)}`);
      collect(value[key] ?? null, `${at}/${escaped(key)}`, random, into);
    }
    into.slots.push(`${at}/${escaped(pick(random, KEYS))}`);
  }
  return into;
}

export interface StepMix {
  /** The operations to choose from. An operation that is listed twice is twice as likely. */
  readonly ops: readonly string[];
  /** One in this many steps names a place that may not exist. 0: none does. */
  readonly wrongOneIn: number;
}

export const EDITS: readonly string[] = ['add', 'add', 'add', 'remove', 'remove', 'replace', 'replace'];
export const EVERYTHING: StepMix = {
  ops: [...EDITS, 'move', 'move', 'move', 'copy', 'test', 'root'],
  wrongOneIn: 25,
};

/** One step on `document`, in wire form. */
export function randomStep(random: Random, document: Json, mix: StepMix): { [key: string]: Json } {
  const places = collect(document, '', random, { values: [], slots: [] });
  const wrong = mix.wrongOneIn > 0 && random(mix.wrongOneIn) === 0;
  if (wrong) places.values.push(pick(random, ['/a/9', '/q', '/b/01', '/a/01', '/a/b', '/c/-', '/0/0/0']));
  if (wrong) places.slots.push(pick(random, ['/a/9', '/q/q', '/a/01', '/a/x', '/0/0/0/0']));
  if (places.values.length === 0) return { op: 'add', path: '', value: randomDocument(random) };
  const value = (): string => (wrong ? (places.values.at(-1) ?? '') : pick(random, places.values));
  const slot = (): string => (wrong ? (places.slots.at(-1) ?? '') : pick(random, places.slots));
  const op = pick(random, mix.ops);
  switch (op) {
    case 'add':
      return { op, path: places.slots.length > 0 ? slot() : '/a', value: randomValue(random, 2) };
    case 'replace':
      return { op, path: value(), value: randomValue(random, 2) };
    case 'remove':
      return { op, path: value() };
    case 'root':
      if (random(4) > 0) return { op: 'replace', path: value(), value: random(100) };
      return { op: pick(random, ['add', 'replace']), path: '', value: randomDocument(random) };
    case 'test': {
      const path = value();
      return { op, path, value: random(8) === 0 ? 'false' : (read(document, path) ?? null) };
    }
    default: {
      const from = value();
      const path = slot();
      if (op === 'move' && path.startsWith(`${from}/`)) return { op: 'remove', path: from };
      return { op, from, path };
    }
  }
}

function read(document: Json, path: string): Json | undefined {
  let node: Json | undefined = document;
  for (const token of path.split('/').slice(1)) {
    if (typeof node !== 'object' || node === null) return undefined;
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    node = Array.isArray(node) ? node[Number(key)] : node[key];
  }
  return node;
}

/** A text that is equal for equal documents: keys are sorted. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`).join()}}`;
}
