// An object of many members in buckets behaves as a Map does, and patches change it as they change plain
// objects.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { BucketedMembers } from '../../../kinds/json/held/bucketed-members.ts';
import { HELD_SHAPE, HeldMembers } from '../../../kinds/json/held/held.ts';
import { jsonKind, jsonKindOf } from '../../../kinds/json/json.ts';

const RUNS = 200 * Number(process.env.FUZZ_RUNS ?? 1);
const LIMITS = { documentBytes: 1 << 24, depth: 100, workMs: 1000 };

test('members are found, replaced and removed as in a Map, in one bucket and in many', () => {
  const key = fc.oneof(fc.constantFrom('', '__proto__', 'toString'), fc.string({ maxLength: 40 }));
  const edits = fc.array(fc.tuple(key, fc.option(fc.nat())), { maxLength: 50 });
  fc.assert(
    fc.property(edits, fc.constantFrom(0, 5000), (all, filled) => {
      const members = new BucketedMembers<number>();
      const model = new Map<string, number>();
      const set = (name: string, value: number): void => {
        members.set(name, value);
        model.set(name, value);
      };
      for (let i = 0; i < filled; i++) set(`filled-${i}`, i);
      for (const [name, value] of all) {
        if (value !== null) set(name, value);
        else {
          members.delete(name);
          model.delete(name);
        }
        assert.equal(members.has(name), model.has(name));
        assert.equal(members.get(name), model.get(name));
      }
      assert.equal(members.size, model.size);
      assert.deepEqual(new Map(members.entries()), model);
    }),
    { numRuns: RUNS },
  );
});

test('up to 4,096 members stay in the order of their setting', () => {
  const members = new BucketedMembers<number>();
  const keys = Array.from({ length: 4096 }, (_, i) => `k${(i * 7919) % 4096}`);
  for (const name of keys) members.set(name, 0);
  assert.deepEqual(
    [...members.entries()].map(([name]) => name),
    keys,
  );
});

test('keys that differ at one end, or in the middle of a short key, are spread over the buckets', () => {
  for (const keyOf of [
    (i: number) => `${i}`,
    (i: number) => `k${i * 128}`,
    (i: number) => `${i}${'x'.repeat(100)}`,
    (i: number) => `${'x'.repeat(100)}${i}`,
  ]) {
    const members = new BucketedMembers<number>();
    for (let i = 0; i < 20_000; i++) members.set(keyOf(i), i);
    // With a single bucket the order would be that of the numbers.
    const order = [...members.entries()].map(([, value]) => value);
    const descents = order.filter((value, i) => value < (order[i - 1] ?? -1)).length;
    assert.ok(descents >= 100, `${descents} times from one bucket to the next`);
  }
});

test('an object that grows beyond 64 KiB is held in buckets, and a patch that fails leaves it as it was', () => {
  const state = jsonKind.load({ o: {} });
  const add = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ op: 'add', path: `/o/k${from + i}`, value: 'x'.repeat(100) }));
  const commit = (wire: unknown) => {
    const parsed = jsonKind.parse(wire, LIMITS);
    assert.ok(parsed.ok);
    return jsonKind.commit(state, parsed.value, [], LIMITS);
  };
  assert.ok(commit(add(0, 600)).ok);
  const before = jsonKind.snapshot(state);
  const failed = commit([...add(600, 600), { op: 'test', path: '/o/k0', value: 1 }]);
  assert.equal(failed.ok, false);
  assert.ok(isDeepStrictEqual(jsonKind.snapshot(state), before));
  const done = commit([
    ...add(600, 600),
    { op: 'remove', path: '/o/k0' },
    { op: 'replace', path: '/o/k1', value: 1 },
  ]);
  assert.ok(done.ok);
  const { o } = jsonKind.snapshot(state) as { o: Record<string, unknown> };
  assert.deepEqual([Object.keys(o).length, o.k0, o.k1, o.k1199], [1199, undefined, 1, 'x'.repeat(100)]);
  jsonKind.revert(state, done.value.undo);
  assert.ok(isDeepStrictEqual(jsonKind.snapshot(state), before));
});

test('a large object keeps a member named __proto__, and toString is no member of it', () => {
  const kind = jsonKindOf({ ...HELD_SHAPE, plainBytes: 8 });
  const whole = JSON.parse('{"__proto__":{"a":1},"other":"0123456789"}') as { [key: string]: string };
  const state = kind.load(whole);
  assert.ok(state.root instanceof HeldMembers);
  assert.equal(JSON.stringify(kind.snapshot(state)), JSON.stringify(whole));
  const parsed = kind.parse([{ op: 'test', path: '/toString', value: null }], LIMITS);
  assert.ok(parsed.ok);
  assert.equal(kind.commit(state, parsed.value, [], LIMITS).ok, false);
});
