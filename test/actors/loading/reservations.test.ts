// The bound on history in memory: which requests get room, which wait, and that nothing stays reserved for
// requesters that are gone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reservations } from '../../../actors/loading/reservations.ts';

test('bytes are given in the order of asking, and never more than there are', () => {
  const reservations = new Reservations<string>(10, 100);
  const begun: string[] = [];
  const releases = new Map<string, () => void>();
  const ask = (name: string, bytes: number): boolean =>
    reservations.ask(name, bytes, (release) => {
      begun.push(name);
      releases.set(name, release);
    });
  ask('a', 6);
  ask('b', 6);
  ask('c', 2);
  assert.deepEqual(begun, ['a'], 'the small one does not overtake');
  releases.get('a')?.();
  releases.get('a')?.();
  assert.deepEqual(begun, ['a', 'b', 'c']);
  ask('d', 100);
  releases.get('b')?.();
  assert.deepEqual(begun, ['a', 'b', 'c']);
  releases.get('c')?.();
  assert.deepEqual(begun, ['a', 'b', 'c', 'd']);
});

test('a requester that is gone gives back its bytes, and waits no more', () => {
  const reservations = new Reservations<string>(10, 100);
  const begun: string[] = [];
  for (const [name, bytes] of [
    ['a', 10],
    ['b', 10],
    ['c', 10],
  ] as const)
    reservations.ask(name, bytes, () => begun.push(name));
  reservations.forget('b');
  reservations.forget('a');
  assert.deepEqual(begun, ['a', 'c']);
});

test('more than may wait are refused', () => {
  const reservations = new Reservations<string>(1, 2);
  const ask = (): boolean => reservations.ask('a', 1, () => undefined);
  assert.deepEqual([ask(), ask(), ask(), ask()], [true, true, true, false]);
});
