// A sequence of runs behaves like a list with one element for each place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RunList } from '../../../kinds/history/run-list.ts';
import { seededRandom } from '../../../loadtest/clients/random-edits.ts';
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

test('a sequence of many runs stays right where edits follow each other and jump', () => {
  const random = seededRandom(7);
  const below = (limit: number): number => Math.floor(random() * limit);
  const list = new RunList<number>();
  const model: number[] = [];
  let place = 0;
  for (let i = 0; i < 6_000; i++) {
    if (i % 20 === 0) place = below(model.length + 1);
    const dice = below(10);
    if (dice < 3) {
      const gone = Math.min(1 + below(dice === 0 ? 40 : 2), model.length - place);
      list.remove(place, gone);
      model.splice(place, gone);
    } else {
      const length = 1 + below(3);
      const value = below(dice < 6 ? 3 : 1_000);
      list.insert(place, length, value);
      model.splice(place, 0, ...Array.from({ length }, () => value));
      if (below(2) === 0) place += length;
    }
    place = Math.min(place, model.length);
    if (dice === 9 && place > 0) place--;
  }
  assert.deepEqual(flat(list), model);
});
