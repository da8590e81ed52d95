// Patches that are legal and costly, for `npm run work`: one shape for each thing that the cost of a patch
// hangs on. Each is within the default limits, 256 KiB a patch and 16 MiB a document.
import type { Json, KindName, Wire } from '../protocol/messages.ts';

export interface WorkCase {
  readonly name: string;
  readonly kind: KindName;
  /** The snapshot before everything. */
  readonly document: () => Wire;
  /** Patches that are committed first; the measured one does not know them. */
  readonly past: () => readonly Wire[];
  readonly patch: () => Wire;
}

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

const DEEP = '/a'.repeat(90);
function nest(value: Json): Json {
  let nested = value;
  for (let i = 0; i < 90; i++) nested = { a: nested };
  return nested;
}
const attributes = (names: number, value: Json): { [name: string]: Json } =>
  Object.fromEntries(times(names, (i) => [`a${i}`, value]));

const json = (name: string, document: () => Json, past: () => Json[], patch: () => Json): WorkCase => ({
  name: `json: ${name}`,
  kind: 'json',
  document,
  past,
  patch,
});
const richText = (
  name: string,
  document: () => Json,
  past: () => readonly Wire[],
  patch: () => Json,
): WorkCase => ({
  name: `rich-text: ${name}`,
  kind: 'rich-text',
  document,
  past,
  patch,
});

const text = (units: number): Json => [{ insert: `${'x'.repeat(units - 1)}\n` }];

export const WORK_CASES: readonly WorkCase[] = [
  json(
    'members x 10,000 versions',
    () => ({}),
    () => times(10_000, (i) => [{ op: 'add', path: `/k${i}`, value: 0 }]),
    () => times(30, (i) => ({ op: 'add', path: `/z${i}`, value: 0 })),
  ),
  json(
    'list elements x 1,000 versions',
    () => ({ list: [] }),
    () => times(1_000, (i) => [{ op: 'add', path: '/list/0', value: i }]),
    () => times(60, (i) => ({ op: 'add', path: '/list/0', value: i })),
  ),
  json(
    'list ends x 1,000 versions',
    () => ({ list: [] }),
    () => times(1_000, (i) => [{ op: 'add', path: '/list/0', value: i }]),
    () => times(60, (i) => ({ op: 'add', path: '/list/-', value: i })),
  ),
  json(
    'deep list elements x 1,000 versions',
    () => nest({ list: [] }),
    () => times(1_000, (i) => [{ op: 'add', path: `${DEEP}/list/0`, value: i }]),
    () => times(20, (i) => ({ op: 'add', path: `${DEEP}/list/0`, value: i })),
  ),
  json(
    'moves x 1,000 versions of moves',
    () => ({ list: times(500, (i) => i) }),
    () => times(1_000, (i) => [{ op: 'move', from: `/list/${i % 400}`, path: `/list/${(i * 7) % 400}` }]),
    () => times(30, (i) => ({ op: 'move', from: `/list/${i}`, path: `/list/${i * 11}` })),
  ),
  richText(
    'typing x 10,000 versions',
    () => text(100_000),
    () => times(10_000, (i) => [{ retain: 9 * i + 1 }, { insert: 'y' }]),
    () => [{ retain: 50_000 }, { insert: 'z' }],
  ),
  richText(
    '2,500 inserts x 500 versions',
    () => text(100_000),
    () => times(500, (i) => [{ retain: 9 * i + 1 }, { insert: 'y' }]),
    () => times(5_000, (i) => (i % 2 === 0 ? { retain: 1 } : { insert: 'z' })),
  ),
  richText(
    'formats of 20 x 1,000 names x 5 versions of formats',
    () => text(100_000),
    () => times(5, (i) => [{ retain: 50_000, attributes: { bold: i } }]),
    () => times(20, (i) => ({ retain: 1, attributes: attributes(1_000, i) })),
  ),
  richText(
    'a delete that 2,000 versions of inserts split',
    () => text(100_000),
    () => times(2_000, (i) => [{ retain: 2 * i + 1 }, { insert: 'y' }]),
    () => [{ delete: 50_000 }],
  ),
];
