// The ring spreads shards evenly, and equally in every process; rebalancing moves no more shards than it
// must.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { SHARDS } from '../../../actors/shard.ts';
import { rebalance } from '../../../cluster/placement/rebalance.ts';
import {
  LOAD_LIMIT,
  type Placement,
  placeOnRing,
  Ring,
  type RingNode,
} from '../../../cluster/placement/ring.ts';
import { configFrom } from '../../../config/load.ts';
import { fuzzRuns } from '../../support/fuzz-runs.ts';

/** A whole run has each number of nodes up to this one, and the largest. */
const NODES_OF_WHOLE_RUN = 20;
const MOST_NODES = 100;
const JOIN_LIMIT = 1.3;

const nodes = (count: number, name = (i: number) => `node-${i}`): RingNode[] =>
  Array.from({ length: count }, (_, i) => ({ name: name(i + 1), weight: 1 }));
const addresses = (count: number) => nodes(count, (i) => `10.0.${i >> 3}.${i & 7}:7400`);
const WEIGHTED: readonly RingNode[] = [
  { name: 'small', weight: 0.5 },
  { name: 'large', weight: 4 },
  { name: 'a', weight: 1 },
  { name: 'b', weight: 1 },
];

const digest = (placement: Placement) =>
  createHash('sha256').update(placement.join()).digest('hex').slice(0, 32);

function loadsOf(placement: Placement): ReadonlyMap<string, number> {
  const loads = new Map<string, number>();
  for (const node of placement) if (node !== undefined) loads.set(node, (loads.get(node) ?? 0) + 1);
  return loads;
}

const moved = (from: Placement, to: Placement) => from.filter((node, shard) => node !== to[shard]).length;

function assertBounded(placement: Placement, members: readonly RingNode[]): void {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  const loads = loadsOf(placement);
  for (const { name, weight } of members)
    assert.ok(
      (loads.get(name) ?? 0) <= (LOAD_LIMIT * SHARDS * weight) / total,
      `${name} of ${members.length}`,
    );
  assert.equal(
    [...loads.values()].reduce((sum, load) => sum + load, 0),
    SHARDS,
  );
}

describe('the ring', () => {
  /**
   * A change of one of these makes nodes of two versions disagree: a rolling upgrade would move shards to and
   * fro.
   */
  const GOLDEN: readonly (readonly [readonly RingNode[], string])[] = [
    [nodes(3), 'f42eb3aa74ffb3c2be707e19ff9c56d9'],
    [addresses(17), '3f059f63173291c765e7fa3242f1a5d1'],
    [WEIGHTED, '6b00aa1284d8c466cabaedbaf82a8e63'],
  ];

  test('golden vectors', () => {
    for (const [members, expected] of GOLDEN) assert.equal(digest(placeOnRing(members)), expected);
  });

  test('another process places alike', () => {
    const script = `
      const { createHash } = await import('node:crypto');
      const { placeOnRing } = await import(process.argv[1]);
      const members = JSON.parse(process.argv[2]).reverse();
      console.log(createHash('sha256').update(placeOnRing(members).join()).digest('hex').slice(0, 32));`;
    const module = new URL('../../../cluster/placement/ring.js', import.meta.url).href;
    for (const members of [nodes(5), WEIGHTED]) {
      const args = ['--input-type=module', '-e', script, module, JSON.stringify(members)];
      assert.equal(
        execFileSync(process.execPath, args, { encoding: 'utf8' }).trim(),
        digest(placeOnRing(members)),
      );
    }
  });

  test('the order of members does not matter', () => {
    const members = [...nodes(9), ...WEIGHTED];
    const expected = digest(placeOnRing(members));
    fc.assert(
      fc.property(fc.shuffledSubarray(members, { minLength: members.length }), (shuffled) => {
        assert.equal(digest(placeOnRing(shuffled)), expected);
      }),
      { numRuns: fuzzRuns(10) },
    );
  });

  test('names that are there twice and weights out of range are refused; of nobody there is no owner', () => {
    assert.throws(() => placeOnRing([...nodes(3), ...nodes(1)]), /two members are called node-1/);
    for (const weight of [0, -1, Number.NaN, 17])
      assert.throws(() => placeOnRing([{ name: 'a', weight }]), /weight of a/);
    assert.ok(placeOnRing([]).every((node) => node === undefined) && placeOnRing([]).length === SHARDS);
    assert.throws(() => new Ring(nodes(2)).preferenceList(SHARDS, 1), /no shard/);
  });

  test('the configuration takes the weights that the ring takes', () => {
    for (const weight of [0.01, 1, 16]) {
      assert.equal(configFrom({ cluster: { weight } }).cluster.weight, weight);
      assert.ok(placeOnRing([{ name: 'a', weight }]).every((node) => node === 'a'));
    }
    for (const weight of [0, 17, 100])
      assert.throws(() => configFrom({ cluster: { weight } }), /cluster\.weight/);
  });

  test('a preference list names different nodes, and a longer one begins like a shorter one', () => {
    const ring = new Ring(nodes(12));
    for (let shard = 0; shard < SHARDS; shard += 97) {
      const all = ring.preferenceList(shard, 100);
      assert.equal(new Set(all).size, 12);
      assert.deepEqual(ring.preferenceList(shard, 3), all.slice(0, 3));
    }
  });

  test('weights are respected', () => {
    assertBounded(placeOnRing(WEIGHTED), WEIGHTED);
    const loads = loadsOf(placeOnRing(WEIGHTED));
    const even = loadsOf(rebalance(new Ring(WEIGHTED), []));
    for (const { name, weight } of WEIGHTED)
      assert.ok((even.get(name) ?? 0) >= Math.floor((SHARDS * weight) / 6.5));
    for (const { name, weight } of WEIGHTED)
      assert.ok((loads.get(name) ?? 0) > (0.75 * SHARDS * weight) / 6.5, `${name}: ${loads.get(name)}`);
  });
});

describe('3 to 100 nodes', () => {
  test('no node is above 1.1 of the mean, one that joins moves at most 1.3 of its fair share, one that leaves too', (t) => {
    const worst = { ringLoad: 0, ringJoin: 0, load: 0, join: 0, leave: 0 };
    let before = new Ring(nodes(2));
    let settled = rebalance(before, []);
    for (let count = 3; count <= MOST_NODES; count++) {
      if (fuzzRuns(MOST_NODES) < MOST_NODES && count === NODES_OF_WHOLE_RUN + 1) {
        count = MOST_NODES;
        before = new Ring(nodes(count - 1));
        settled = rebalance(before, settled);
      }
      const ring = new Ring(nodes(count));
      const share = SHARDS / count;
      const note = (key: keyof typeof worst, shards: number, limit = Number.POSITIVE_INFINITY) => {
        worst[key] = Math.max(worst[key], shards / share);
        assert.ok(shards <= limit * share, `${count} nodes: ${key} ${shards}, fair share ${share}`);
      };
      assertBounded(ring.place(), ring.members);
      note('ringLoad', Math.max(...loadsOf(ring.place()).values()), LOAD_LIMIT);
      note('ringJoin', moved(before.place(), ring.place()));
      // A join to the result of several joins, and a join to all others placed at once.
      const fresh = rebalance(before, []);
      assertBounded(fresh, before.members);
      const next = rebalance(ring, settled);
      for (const [current, joined] of [
        [settled, next],
        [fresh, rebalance(ring, fresh)],
      ] as const) {
        assertBounded(joined, ring.members);
        note('load', Math.max(...loadsOf(joined).values()), LOAD_LIMIT);
        note('join', moved(current, joined), JOIN_LIMIT);
        assert.ok((loadsOf(joined).get(`node-${count}`) ?? 0) >= Math.floor(share));
      }
      const all = rebalance(ring, []);
      for (const current of [next, all]) {
        const left = rebalance(before, current);
        assertBounded(left, before.members);
        note('leave', moved(current, left), JOIN_LIMIT);
      }
      settled = next;
      before = ring;
    }
    t.diagnostic(`at worst, in fair shares: ${JSON.stringify(worst)}`);
  });
});

describe('rebalancing', () => {
  const membership = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 24 });
  const membersOf = (ids: readonly number[]) =>
    ids.map((id) => ({ name: `node-${id}`, weight: 1 + (id % 3) }));

  test('nothing moves when nothing changed', () => {
    fc.assert(
      fc.property(membership, membership, (first, second) => {
        const ring = new Ring(membersOf(second));
        const settled = rebalance(ring, rebalance(new Ring(membersOf(first)), []));
        assert.deepEqual(rebalance(ring, settled), settled);
      }),
      { numRuns: fuzzRuns(30) },
    );
  });

  test('without owners shards go as the ring places them, with few exceptions; without members no shard has an owner', () => {
    const placed = placeOnRing(nodes(30));
    assert.ok(moved(placed, rebalance(new Ring(nodes(30)), [])) < SHARDS / 20);
    assert.ok(rebalance(new Ring([]), placed).every((node) => node === undefined));
  });

  test('nodes come and go: each time at most 1.3 fair shares move', () => {
    const walk = fc.array(fc.integer({ min: 1, max: 24 }), { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(walk, (ids) => {
        const present = new Set([30, 31, 32]);
        const members = () => [...present].map((id) => ({ name: `node-${id}`, weight: 1 }));
        let current = rebalance(new Ring(members()), []);
        for (const id of ids) {
          if (!present.delete(id)) present.add(id);
          const next = rebalance(new Ring(members()), current);
          const share = SHARDS / (present.size + (present.has(id) ? 0 : 1));
          assertBounded(next, members());
          assert.ok(moved(current, next) <= JOIN_LIMIT * share);
          current = next;
        }
      }),
      { numRuns: fuzzRuns(10) },
    );
  });

  test('a plan that was carried out in part is planned again as its rest: nothing moves twice', () => {
    fc.assert(
      fc.property(membership, membership, fc.infiniteStream(fc.boolean()), (first, second, done) => {
        const ring = new Ring(membersOf(second));
        const start = rebalance(new Ring(membersOf(first)), []);
        const planned = rebalance(ring, start);
        const half = start.map((node, shard) => (done.next().value ? planned[shard] : node));
        const rest = rebalance(ring, half);
        assertBounded(rest, membersOf(second));
        assert.ok(moved(start, half) + moved(half, rest) <= moved(start, planned));
        half.forEach((node, shard) => {
          if (node !== start[shard]) assert.equal(rest[shard], node);
        });
      }),
      { numRuns: fuzzRuns(20) },
    );
  });

  test('a rolling restart moves what each node had, and gives it as much back', () => {
    const members = nodes(3);
    let current = rebalance(new Ring(members), []);
    for (const { name } of members) {
      const had = loadsOf(current).get(name) ?? 0;
      const without = rebalance(new Ring(members.filter((member) => member.name !== name)), current);
      assert.equal(moved(current, without), had);
      current = rebalance(new Ring(members), without);
      assert.ok(moved(without, current) <= Math.ceil(SHARDS / 3));
    }
  });
});
