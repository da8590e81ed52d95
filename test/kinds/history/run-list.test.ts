// A sequence of runs behaves like a list with one element for each place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RunList } from '../../../kinds/history/run-list.ts';
import { runs } from '../rich-text/rich-text-edits.ts';

const flat = <T>(list: RunList<T>): T[] =>
  [...list.runs()].flatMap(([length, value]) => Array.from({ length }, () => value));

const edit = fc.record({
  at: fc.nat(10_000),
  length: fc.integer({ min: 1, max: 6 }),
  value: fc.nat(3),
  removes: fc.boolean(),
});

test('a sequence of runs is the list of its values, after any inserts and removals', () => {
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 60 }), (edits) => {
      const list = new RunList<number>();
      const model: number[] = [];
      for (const { at, length, value, removes } of edits) {
        const index = at % (model.length + 1);
        if (removes) {
          const gone = Math.min(length, model.length - index);
          list.remove(index, gone);
          model.splice(index, gone);
        } else {
          list.insert(index, length, value);
          model.splice(index, 0, ...Array.from({ length }, () => value));
        }
        if (model.length > 0) assert.equal(list.at(at % model.length), model[at % model.length]);
      }
      assert.deepEqual(flat(list), model);
    }),
    { numRuns: runs(300) },
  );
});

test('a sequence of many runs stays right where chunks are halved and emptied', () => {
  const list = new RunList<number>();
  const model: number[] = [];
  for (let i = 0; i < 3_000; i++) {
    const index = (i * 7_919) % (model.length + 1);
    list.insert(index, 1, i);
    model.splice(index, 0, i);
  }
  assert.deepEqual(flat(list), model);
  list.remove(100, 2_500);
  model.splice(100, 2_500);
  assert.deepEqual(flat(list), model);
  list.insert(model.length, 2, -1);
  assert.deepEqual(flat(list), [...model, -1, -1]);
  assert.throws(() => list.remove(0, model.length + 3), RangeError);
});
