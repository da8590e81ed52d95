// The parts of the page's JSON tree that need no browser: words read as values, pointers, and the items of a
// list that are left after edits of others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isBoard } from '../../../web/views/board/model.ts';
import { matchItems, pointerTo, summaryOf, typedValue, wordsOf } from '../../../web/views/tree/model.ts';

test('tree: words in the place of a text are a text, and in the place of any other value JSON if possible', () => {
  assert.equal(typedValue('42', 'a text'), '42');
  assert.equal(typedValue('42', 1), 42);
  assert.deepEqual(typedValue('{"a":[]}', null), { a: [] });
  assert.equal(typedValue('no JSON', null), 'no JSON');
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json = JSON.parse(JSON.stringify(value));
      assert.deepEqual(typedValue(wordsOf(json), json), json, 'a box that is left as it was changes nothing');
    }),
  );
});

test('tree: a pointer escapes what a key may have, and a line says how much is inside', () => {
  assert.equal(pointerTo([]), '');
  assert.equal(pointerTo(['a/b~c', 0, '']), '/a~1b~0c/0/');
  assert.deepEqual([{ a: 1 }, [], [1, 2], '', null, true].map(summaryOf), [
    '1 member',
    '0 items',
    '2 items',
    '',
    'null',
    'true',
  ]);
});

test('tree: after an insertion, a deletion or a change every other item is found where it is now', () => {
  const same = (before: string, after: string) =>
    matchItems([...before], [...after], (one, other) => one === other);
  assert.deepEqual(same('abc', 'xabc'), [undefined, 0, 1, 2]);
  assert.deepEqual(same('abc', 'abxc'), [0, 1, undefined, 2]);
  assert.deepEqual(same('abc', 'ac'), [0, 2]);
  assert.deepEqual(same('abc', 'axc'), [0, 1, 2], 'one that has changed is the same item');
  assert.deepEqual(same('aa', 'aaa'), [0, 1, undefined]);
  assert.deepEqual(same('', 'ab'), [undefined, undefined]);
  fc.assert(
    fc.property(fc.array(fc.nat(3)), fc.array(fc.nat(3)), (before, after) => {
      const found = matchItems(before, after, Object.is).filter((index) => index !== undefined);
      assert.deepEqual(
        found,
        [...new Set(found)].sort((a, b) => a - b),
        'each at most once, in order',
      );
      assert.ok(found.every((index) => index >= 0 && index < before.length));
    }),
  );
});

test('tree: nothing yet, a title, and anything of a board is a board; other content is another program’s', () => {
  for (const content of [{}, { title: 'Plan' }, { 'card:1': null, other: 1 }, { 'column:todo': null }])
    assert.ok(isBoard(content), JSON.stringify(content));
  for (const content of [[], 'text', null, { items: [] }, { title: 'Plan', items: [] }])
    assert.ok(!isBoard(content), JSON.stringify(content));
});
