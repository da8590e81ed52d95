// A json document is read from its text, and written, in pieces: the result is what JSON.parse and JSON.stringify
// give for the whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HELD_SHAPE, HeldMembers, membersOf } from '../../../kinds/json/held/held.ts';
import { type JsonState, jsonKind, jsonKindOf } from '../../../kinds/json/json.ts';
import { parseJson } from '../../../protocol/json-text.ts';
import type { Json } from '../../../protocol/messages.ts';

const RUNS = 300 * Number(process.env.FUZZ_RUNS ?? 1);

function ended<T>(pieces: Generator<undefined, T, undefined> | undefined): { value: T; pieces: number } {
  assert.ok(pieces !== undefined);
  for (let count = 1; ; count++) {
    const next = pieces.next();
    if (next.done === true) return { value: next.value, pieces: count };
  }
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', '"', '\\', '\\"', '\\\\', ',', ':', '[', ']', '{', '}', '__proto__', '0', 'é€😀'),
);
const value = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.oneof(fc.constantFrom(null, true, false), fc.integer(), fc.double({ noNaN: true }), text),
    fc.array(tie('value'), { maxLength: 12 }),
    fc.array(fc.nat(9), { maxLength: 60 }),
    fc.dictionary(text, tie('value'), { maxKeys: 12 }),
  ),
})).value;

test('a value that is read in pieces, of whatever size, is the value, with the sizes that it has', () => {
  fc.assert(
    fc.property(
      value,
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(undefined, 1),
      (whole, pieceBytes, indent) => {
        const kind = jsonKindOf({ plainItems: 3, fanOut: 4, largeBytes: 20, plainBytes: 30, pieceBytes });
        const plain = parseJson(JSON.stringify(whole)) as Json;
        const { value: state } = ended(kind.readText?.(JSON.stringify(whole, undefined, indent)));
        assert.deepEqual(kind.snapshot(state), plain);
        const { root, sizes, bytes, containers }: JsonState = kind.load(plain);
        assert.deepEqual([state.bytes, state.containers], [bytes, containers]);
        assert.deepEqual(heights(state), sizes.of(root).height);
        assert.deepEqual(parseJson(ended(kind.writeText?.(state)).value), plain);
      },
    ),
    { numRuns: RUNS },
  );
});

const heights = ({ root, sizes }: JsonState): number => sizes.of(root).height;

test('a text that is no JSON is refused, wherever the pieces end', () => {
  const broken = [
    '',
    ' ',
    '[1,2',
    '[1 2]',
    '[[1,2,3][4]]',
    '[1,,[2,3,4,5]]',
    '[1,2,3,]',
    '[,1]',
    '[[1,2,3],]',
    '[1,[2,3,4,5},6]',
    '{"a":[1,2,3,4],}',
    '{"a":[1,2,3,4]"b":1}',
    '{"a" [1,2,3,4]}',
    '{"a":1,[1,2,3,4]}',
    '{5:[1,2,3,4]}',
    '["unended',
    '[1,2]]',
    '[1,2,3,4] [5,6,7,8]',
    '1 2',
    'nul',
  ];
  for (const text of broken)
    for (let pieceBytes = 1; pieceBytes < 12; pieceBytes++)
      assert.throws(
        () => ended(jsonKindOf({ ...HELD_SHAPE, pieceBytes }).readText?.(text)),
        SyntaxError,
        `${text} in pieces of ${pieceBytes}`,
      );
});

test('a large document comes and goes in pieces of bounded size', () => {
  const part = Array.from({ length: 20_000 }, (_, a) => ({ a }));
  const whole = JSON.stringify({ list: part, parts: { a: part, b: part }, text: 'x'.repeat(100_000) });
  const pieces = whole.length / HELD_SHAPE.pieceBytes;
  const read = ended(jsonKind.readText?.(whole));
  assert.ok(read.pieces > pieces / 2, `${read.pieces} for ${pieces}`);
  const written = ended(jsonKind.writeText?.(read.value));
  assert.ok(written.pieces > pieces / 2, `${written.pieces} for ${pieces}`);
  assert.equal(written.value, whole);
});

test('an object of many members comes and goes in pieces, and no piece lists all of them', () => {
  const members = Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`k${i}`, i]));
  const whole = JSON.stringify({ members });
  const pieces = whole.length / HELD_SHAPE.pieceBytes;
  const read = ended(jsonKind.readText?.(whole));
  assert.ok(read.pieces > pieces / 2, `${read.pieces} for ${pieces}`);
  const [held] = [...membersOf(read.value.root as HeldMembers)].map(([, member]) => member);
  assert.ok(held instanceof HeldMembers);
  assert.equal(held.size, 40_000);
  const written = ended(jsonKind.writeText?.(read.value));
  assert.ok(written.pieces > pieces / 2, `${written.pieces} for ${pieces}`);
  assert.deepEqual(JSON.parse(written.value), { members });
});
