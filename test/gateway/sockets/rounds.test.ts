// A round over a set visits each item once, in slices.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rounds } from '../../../src/gateway/sockets/rounds.ts';

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('a round visits each item once, a share of them at a time', () => {
  const rounds = new Rounds(new Set(numbers(1, 100)), 1000, 5000);
  const seen: number[] = [];
  for (const [now, visited] of [
    [5000, 0],
    [5050, 5],
    [5055, 6],
    [5500, 50],
    [5990, 99],
  ] as const) {
    assert.equal(
      rounds.advance(now, (item) => seen.push(item)),
      false,
    );
    assert.equal(seen.length, visited);
  }
  assert.equal(
    rounds.advance(6000, (item) => seen.push(item)),
    true,
  );
  assert.deepEqual(seen, numbers(1, 100));
});

test('a round that is late visits all the rest, and the next one begins then', () => {
  const rounds = new Rounds(new Set(numbers(1, 10)), 1000, 0);
  const seen: number[] = [];
  assert.equal(
    rounds.advance(2500, (item) => seen.push(item)),
    true,
  );
  assert.deepEqual(seen, numbers(1, 10));
  rounds.advance(3000, (item) => seen.push(item));
  assert.deepEqual(seen, [...numbers(1, 10), ...numbers(1, 5)]);
});

test('removed items are left out, and added ones are visited in the same round', () => {
  const items = new Set(numbers(1, 10));
  const rounds = new Rounds(items, 1000, 0);
  const seen: number[] = [];
  const visit = (item: number): void => {
    seen.push(item);
    // A visit may remove any item, as the end of a socket does.
    items.delete(item + 1);
  };
  rounds.advance(500, visit);
  items.add(11);
  rounds.advance(1000, visit);
  assert.deepEqual(seen, [1, 3, 5, 7, 9, 11]);
});

test('an empty set has rounds too', () => {
  const rounds = new Rounds(new Set<number>(), 1000, 0);
  assert.equal(
    rounds.advance(1000, () => assert.fail('there is nothing to visit')),
    true,
  );
});
