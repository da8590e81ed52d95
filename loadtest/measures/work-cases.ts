// Legal and costly patches for `npm run work`: one shape for each factor of a patch's cost. Each is within
// the default limits, 256 KiB a patch and 16 MiB a document.
import * as encoding from 'lib0/encoding';
import type { Json, KindName, Wire } from '../../protocol/messages.ts';

export interface WorkCase {
  readonly name: string;
  readonly kind: KindName;
  /** The snapshot before all patches. */
  readonly document: () => Wire;
  /** Patches that are committed first; the measured one does not know them. */
  readonly past: () => readonly Wire[];
  readonly patch: () => Wire;
}

const none = (): readonly Wire[] => [];
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

const json = (
  name: string,
  document: () => Json,
  past: () => readonly Wire[],
  patch: () => Json,
): WorkCase => ({
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

const yjs = (name: string, patch: () => Uint8Array): WorkCase => ({
  name: `yjs: ${name}`,
  kind: 'yjs',
  document: () => Uint8Array.of(0, 0),
  past: none,
  patch,
});

/** An update of `count` structs of one deleted tick each, of every client. */
function structs(clients: number, count: number): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, clients);
  for (let client = clients; client > 0; client--) {
    encoding.writeVarUint(encoder, count);
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, 0);
    for (let i = 0; i < count; i++) {
      // A text of one character in the root type `t`.
      encoding.writeUint8(encoder, 0x04);
      encoding.writeVarUint(encoder, 1);
      encoding.writeVarString(encoder, 't');
      encoding.writeVarString(encoder, 'x');
    }
  }
  encoding.writeVarUint(encoder, 0);
  return encoding.toUint8Array(encoder);
}

function deletions(clients: number, ranges: number): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, 0);
  encoding.writeVarUint(encoder, clients);
  for (let client = clients; client > 0; client--) {
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, ranges);
    for (let i = 0; i < ranges; i++) {
      encoding.writeVarUint(encoder, 2 * i);
      encoding.writeVarUint(encoder, 1);
    }
  }
  return encoding.toUint8Array(encoder);
}

function values(count: number): Uint8Array {
  const encoder = encoding.createEncoder();
  for (const number of [1, 1, 1, 0, 0x08, 1]) encoding.writeVarUint(encoder, number);
  encoding.writeVarString(encoder, 't');
  encoding.writeVarUint(encoder, count);
  for (let i = 0; i < count; i++) encoding.writeUint8(encoder, 126);
  encoding.writeVarUint(encoder, 0);
  return encoding.toUint8Array(encoder);
}

const text = (units: number): Json => [{ insert: `${'x'.repeat(units - 1)}\n` }];

/** Runs of one character that differ in format from their neighbours. */
const runs = (count: number): Json => [
  ...times(count, (i) => ({ insert: 'xy', attributes: { bold: i % 2 } })),
  { insert: '\n' },
];

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
  json(
    'list elements judged at their base',
    () => ({ list: [], gone: { x: 1 } }),
    () => [[{ op: 'replace', path: '/gone', value: {} }]],
    () => [
      ...times(3_000, (i) => ({ op: 'add', path: '/list/0', value: i })),
      { op: 'remove', path: '/gone/x' },
    ],
  ),
  json(
    'members judged at a base 1,000 versions ago',
    () => ({ gone: { x: 1 } }),
    () => [
      [{ op: 'replace', path: '/gone', value: {} }],
      ...times(1_000, (i) => [{ op: 'add', path: `/k${i}`, value: 0 }]),
    ],
    () => [
      ...times(150, (i) => ({ op: 'add', path: `/z${i}`, value: 0 })),
      { op: 'remove', path: '/gone/x' },
    ],
  ),
  json(
    'a list of 120,000 put in',
    () => ({}),
    none,
    () => [{ op: 'add', path: '/big', value: times(120_000, () => 0) }],
  ),
  json(
    '5,000 insertions at the head of a list of 120,000',
    () => ({ big: times(120_000, (i) => i) }),
    none,
    () => times(5_000, () => ({ op: 'add', path: '/big/0', value: 0 })),
  ),
  json(
    '5,000 insertions at the head of a list of 1,000,000',
    () => ({ big: times(1_000_000, () => 0) }),
    none,
    () => times(5_000, () => ({ op: 'add', path: '/big/0', value: 0 })),
  ),
  json(
    '5,000 moves from the head to the end of a list of 1,000,000',
    () => ({ big: times(1_000_000, () => 0) }),
    none,
    () => times(5_000, () => ({ op: 'move', from: '/big/0', path: '/big/999999' })),
  ),
  json(
    '5,000 moves of a value of 14 MB',
    () => ({ a: { big: times(350_000, (i) => ({ name: `member ${i}`, done: false })) }, b: {} }),
    none,
    () =>
      times(5_000, (i) =>
        i % 2 === 0
          ? { op: 'move', from: '/a/big', path: '/b/big' }
          : { op: 'move', from: '/b/big', path: '/a/big' },
      ),
  ),
  json(
    'a value of 14 MB removed',
    () => ({ big: times(350_000, (i) => ({ name: `member ${i}`, done: false })) }),
    none,
    () => [{ op: 'remove', path: '/big' }],
  ),
  json(
    'a value of 14 MB copied',
    () => ({ big: times(350_000, (i) => ({ name: `member ${i}`, done: false })) }),
    none,
    () => [{ op: 'copy', from: '/big', path: '/copy' }],
  ),
  json(
    'a list of 120,000 copied nine times',
    () => ({ big: times(120_000, () => 0) }),
    none,
    () => times(9, (i) => ({ op: 'copy', from: '/big', path: `/copy${i}` })),
  ),
  json(
    '3,000 copies of 2 kB',
    () => ({ big: times(100, (i) => ({ name: i })), list: [] }),
    none,
    () => times(3_000, () => ({ op: 'copy', from: '/big', path: '/list/0' })),
  ),
  json(
    '4,000 members added to 500,000',
    () => attributes(500_000, 0),
    none,
    () => times(4_000, (i) => ({ op: 'add', path: `/z${i}`, value: 0 })),
  ),
  json(
    '4,000 members removed of 500,000',
    () => attributes(500_000, 0),
    none,
    () => times(4_000, (i) => ({ op: 'remove', path: `/a${100 * i}` })),
  ),
  json(
    '4,000 digit members removed of 500,000',
    () => Object.fromEntries(times(500_000, (i) => [`${i}`, 0])),
    none,
    () => times(4_000, (i) => ({ op: 'remove', path: `/${100 * i}` })),
  ),
  json(
    '3,000 tests of an object of 500,000 members',
    () => ({ x: 0, big: attributes(500_000, 0) }),
    none,
    () => [
      ...times(3_000, () => ({ op: 'test', path: '/x', value: 0 })),
      { op: 'test', path: '/big', value: {} },
    ],
  ),
  json(
    '5,000 moves of a text of 250 kB',
    () => ({ a: 'é'.repeat(125_000) }),
    none,
    () =>
      times(5_000, (i) =>
        i % 2 === 0 ? { op: 'move', from: '/a', path: '/b' } : { op: 'move', from: '/b', path: '/a' },
      ),
  ),
  json(
    '1,200 writes 90 deep',
    () => nest({ list: [] }),
    none,
    () => times(1_200, (i) => ({ op: 'add', path: `${DEEP}/k${i}`, value: 0 })),
  ),
  json(
    '2,500 containers of 1 kB edited for the first time',
    () => times(5_000, () => ({ list: times(120, (i) => i * 1000) })),
    none,
    () => times(5_000, (i) => ({ op: 'add', path: `/${i}/list/0`, value: 0 })),
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
  richText(
    'a format of 300,000 runs',
    () => runs(300_000),
    none,
    () => [{ retain: 600_000, attributes: { italic: true } }],
  ),
  richText(
    '300,000 runs deleted',
    () => runs(300_000),
    none,
    () => [{ delete: 600_000 }],
  ),
  richText(
    '4,000 formats spread over 300,000 runs',
    () => runs(300_000),
    none,
    () => times(8_000, (i) => (i % 2 === 0 ? { retain: 70 } : { retain: 1, attributes: { i: 1 } })),
  ),
  richText(
    '8,000 inserts spread over 16 MB of text',
    () => text(16_000_000),
    none,
    () => times(16_000, (i) => (i % 2 === 0 ? { retain: 990 } : { insert: 'z' })),
  ),
  richText(
    '16 MB of text deleted',
    () => text(16_000_000),
    none,
    () => [{ delete: 15_999_000 }],
  ),
  richText(
    '5,000 formats in a run whose attribute has 200 kB',
    () => [{ insert: `${'x'.repeat(20_000)}\n`, attributes: { note: 'n'.repeat(200_000) } }],
    none,
    () => times(10_000, (i) => (i % 2 === 0 ? { retain: 1 } : { retain: 1, attributes: { b: 1 } })),
  ),
  richText(
    '5,000 inserts in a run whose attribute has 200 kB',
    () => [{ insert: `${'x'.repeat(20_000)}\n`, attributes: { note: 'n'.repeat(200_000) } }],
    none,
    () => times(10_000, (i) => (i % 2 === 0 ? { retain: 1 } : { insert: 'z' })),
  ),
  richText(
    'a format of 60 runs of 10,000 attributes each',
    () => times(60, (i) => ({ insert: 'x\n', attributes: { ...attributes(10_000, i % 2), n: i } })),
    none,
    () => [{ retain: 120, attributes: { b: 1 } }],
  ),
  richText(
    'formats of 20,000 names in all, on one character each',
    () => text(100_000),
    none,
    () => times(20, (i) => ({ retain: 1, attributes: attributes(1_000, i) })),
  ),
  richText(
    '12,000 single characters with attributes put in',
    () => text(1_000),
    none,
    () => times(6_000, (i) => ({ insert: 'x', attributes: { b: i } })),
  ),
  yjs('50,000 structs of one client', () => structs(1, 50_000)),
  yjs('40,000 structs of as many clients', () => structs(20_000, 1)),
  yjs('100,000 deleted ranges', () => deletions(1, 60_000)),
  yjs('deleted ranges of 40,000 clients', () => deletions(30_000, 1)),
  yjs('a list of 250,000 values', () => values(250_000)),
];
