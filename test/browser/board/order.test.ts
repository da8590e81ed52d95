// Order keys of the board: after any sequence of inserts, a new key lies in its gap.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compareKeys, isOrderKey, keyBetween } from '../../../web/views/board/order.ts';

const RUNS = 300 * Number(process.env.FUZZ_RUNS ?? 1);

/** The place of the next key, as a share of the list, and the number from the random source. */
const step = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  random: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
});

test('order: a key lies strictly between its neighbours, wherever the keys before it went', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
      const keys: string[] = [];
      for (const { at, random } of steps) {
        const index = Math.round(at * keys.length);
        const key = keyBetween(keys[index - 1], keys[index], () => random);
        keys.splice(index, 0, key);
      }
      assert.ok(keys.every(isOrderKey));
      for (let i = 1; i < keys.length; i += 1) assert.ok(compareKeys(keys[i - 1] ?? '', keys[i] ?? '') < 0);
    }),
    { numRuns: RUNS },
  );
});

test('order: keys stay short however often one adds at the same end', () => {
  for (const atEnd of [true, false]) {
    let key: string | undefined;
    for (let i = 0; i < 2_000; i += 1) {
      key = atEnd ? keyBetween(key, undefined, Math.random) : keyBetween(undefined, key, Math.random);
    }
    assert.ok((key ?? '').length <= 8, `${key} after 2,000 at the ${atEnd ? 'end' : 'beginning'}`);
  }
});

test('order: two people who fill the same gap at once hardly ever make the same key', () => {
  const keys = new Set(Array.from({ length: 1_000 }, () => keyBetween('A000', 'K000', Math.random)));
  assert.ok(keys.size > 990);
});

test('order: equal or reversed neighbours give a key above the lower one', () => {
  assert.ok(keyBetween('U000', 'U000', () => 0.5) > 'U000');
  assert.ok(keyBetween('U000', 'A000', () => 0.5) > 'U000');
});
