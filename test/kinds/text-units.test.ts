// Text lengths and indices are UTF-16 code units. Clients in other languages check themselves against these
// vectors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delta } from '../../kinds/rich-text/delta.ts';
import { richTextKind } from '../../kinds/rich-text/rich-text.ts';
import { snapshotOf } from './rich-text/rich-text-edits.ts';

const LIMITS = { documentBytes: 1 << 20, depth: 100, workMs: 50 };
const FAMILY = '\u{1F468}\u200D\u{1F469}\u200D\u{1F467}';
const SAMPLE = `a\u{1F600}e\u0301${FAMILY}`;

/** Text, its length, and the index at which each of its code points begins. */
const VECTORS: readonly (readonly [string, string, number, readonly number[]])[] = [
  ['ASCII', 'abc', 3, [0, 1, 2]],
  ['an astral character', '\u{1F600}', 2, [0]],
  ['a composed é', '\u00E9', 1, [0]],
  ['a decomposed é', 'e\u0301', 2, [0, 1]],
  ['a family joined by ZWJ', FAMILY, 8, [0, 2, 3, 5, 6]],
  ['all of them', SAMPLE, 13, [0, 1, 3, 4, 5, 7, 8, 10, 11]],
  ['the last code point', '\u{10FFFF}', 2, [0]],
  ['a NUL and a BOM', '\u0000\uFEFF', 2, [0, 1]],
];

for (const [name, text, units, starts] of VECTORS) {
  test(`${name} is ${units} UTF-16 units long`, () => {
    const state = richTextKind.create();
    assert.ok(richTextKind.commit(state, [{ insert: text }], [], LIMITS).ok);
    assert.equal(state.length, units + 1);
    const mark: Delta = [{ retain: units }, { insert: '|' }];
    assert.ok(richTextKind.commit(state, mark, [], LIMITS).ok);
    assert.deepEqual(snapshotOf(state), [{ insert: `${text}|\n` }]);
    assert.ok(richTextKind.commit(state, [{ delete: units }], [], LIMITS).ok);
    assert.deepEqual(snapshotOf(state), [{ insert: '|\n' }]);
  });

  test(`${name} can be edited at ${starts.join(', ')} and nowhere else`, () => {
    for (let index = 0; index < units; index++) {
      const state = richTextKind.load([{ insert: `${text}\n` }]);
      const op: Delta = index === 0 ? [{ insert: '|' }] : [{ retain: index }, { insert: '|' }];
      const result = richTextKind.commit(state, op, [], LIMITS);
      assert.equal(result.ok, starts.includes(index), `index ${index}`);
      const expected = result.ok ? `${text.slice(0, index)}|${text.slice(index)}\n` : `${text}\n`;
      assert.deepEqual(snapshotOf(state), [{ insert: expected }]);
    }
  });
}

test('an embed is 1 unit long', () => {
  const state = richTextKind.create();
  assert.ok(richTextKind.commit(state, [{ insert: { image: 'x' } }], [], LIMITS).ok);
  assert.equal(state.length, 2);
});

test('nothing is normalised', () => {
  const state = richTextKind.create();
  assert.ok(richTextKind.commit(state, [{ insert: 'e\u0301\u00E9\r\n\u2028' }], [], LIMITS).ok);
  assert.deepEqual(snapshotOf(state), [{ insert: 'e\u0301\u00E9\r\n\u2028\n' }]);
});

test('no place in a long text of pairs lets an edit in between their halves', () => {
  const text = `a${'\u{1F600}'.repeat(1500)}\n`;
  const state = richTextKind.load([{ insert: text }]);
  const refused: number[] = [];
  for (let index = 1; index < text.length; index++) {
    const result = richTextKind.apply(state, [{ retain: index }, { insert: '|' }]);
    if (result.ok) richTextKind.revert(state, result.value.undo);
    else refused.push(index);
  }
  assert.deepEqual(
    refused,
    Array.from({ length: 1500 }, (_, i) => 2 + 2 * i),
  );
  assert.deepEqual(snapshotOf(state), [{ insert: text }]);
});
