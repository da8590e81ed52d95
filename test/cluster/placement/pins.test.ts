// Pins move shards, never documents between shards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHARDS, shardOf } from '../../../actors/shard.ts';
import { PinBoard } from '../../../cluster/placement/pin-board.ts';
import {
  applyPins,
  matchOfShard,
  mergePins,
  orgOfMatch,
  PINNED_ORG_SHARDS,
  type Pin,
  pinnedNodes,
  resolvePins,
  shardOfMatch,
} from '../../../cluster/placement/pins.ts';
import { rebalance } from '../../../cluster/placement/rebalance.ts';
import { placeOnRing, Ring } from '../../../cluster/placement/ring.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { plain } from '../../support/creations.ts';

const MEMBERS = ['a', 'b', 'c'].map((name) => ({ name, weight: 1 }));
const none = () => [];
const PLAN = shardOf('acme/plan');

test('a pin of a document takes its shard along, and nothing else', () => {
  const ring = placeOnRing(MEMBERS);
  const there = ring[PLAN] === 'a' ? 'b' : 'a';
  const pins = resolvePins([{ match: 'acme/plan', node: there, slot: 2 }], MEMBERS, none);
  const placed = applyPins(ring, pins);
  assert.equal(placed[PLAN], there);
  assert.equal(pins.shards.get(PLAN)?.slot, 2);
  assert.equal(placed.filter((node, shard) => node !== ring[shard]).length, 1);
  assert.deepEqual(pins.problems, []);
});

test('a pin to a node that is away leaves everything with the ring', () => {
  const pin: Pin = { match: 'acme/plan', node: 'gone' };
  const pins = resolvePins([pin], MEMBERS, none);
  assert.deepEqual(applyPins(placeOnRing(MEMBERS), pins), placeOnRing(MEMBERS));
  assert.deepEqual(pins.problems, [{ pin, problem: 'node-away' }]);
});

test('a pin of an organisation moves the shards that hold its documents, in whatever order they are read', () => {
  const documents = ['acme/a', 'acme/plan', 'acme/b'];
  const shardsOfOrg = (names: readonly string[]) => (org: string) =>
    org === 'acme' ? names.map(shardOf) : [];
  const pin: Pin = { match: 'acme', node: 'b' };
  const pins = resolvePins([pin], MEMBERS, shardsOfOrg(documents));
  assert.deepEqual([...pins.shards.keys()].sort(), documents.map(shardOf).sort());
  assert.deepEqual(resolvePins([pin], MEMBERS, shardsOfOrg(documents.toReversed())), pins);
});

test('a wide organisation is pinned in part, and that is said', () => {
  const pin: Pin = { match: 'acme', node: 'b' };
  const pins = resolvePins([pin], MEMBERS, () => Array.from({ length: SHARDS }, (_, shard) => shard));
  assert.equal(pins.shards.size, PINNED_ORG_SHARDS);
  assert.deepEqual(pins.problems, [{ pin, problem: 'too-wide', shards: SHARDS - PINNED_ORG_SHARDS }]);
});

test('documents go before organisations, earlier pins before later ones', () => {
  const org: Pin = { match: 'acme', node: 'a' };
  const first: Pin = { match: 'acme/plan', node: 'b' };
  const second: Pin = { match: 'acme/plan', node: 'c' };
  const pins = resolvePins([org, first, second], MEMBERS, () => [PLAN]);
  assert.equal(pins.shards.get(PLAN)?.node, 'b');
  assert.deepEqual(pins.problems, [
    { pin: second, problem: 'shard-taken', shards: 1 },
    { pin: org, problem: 'shard-taken', shards: 1 },
  ]);
});

test('a pin of a shard goes before those of the documents in it', () => {
  const moved: Pin = { match: matchOfShard(PLAN), node: 'c', slot: 0 };
  const document: Pin = { match: 'acme/plan', node: 'b' };
  const pins = resolvePins([document, moved], MEMBERS, none);
  assert.deepEqual(pins.shards.get(PLAN), { node: 'c', slot: 0, pin: moved });
  assert.deepEqual(pins.problems, [{ pin: document, problem: 'shard-taken', shards: 1 }]);
});

test('a match is a shard, a document or an organisation, and only one of them', () => {
  assert.deepEqual(
    ['shard:0', 'shard:4095', 'shard:4096', 'shard:x', 'acme', 'acme/shard:1', '17'].map((match) => [
      shardOfMatch(match),
      orgOfMatch(match),
    ]),
    [
      [0, undefined],
      [4095, undefined],
      [undefined, undefined],
      [undefined, undefined],
      [undefined, 'acme'],
      [undefined, undefined],
      [undefined, '17'],
    ],
  );
});

test("an operator's pin stands in place of the configuration's of the same match, and before all others", () => {
  const configured: Pin[] = [
    { match: 'acme', node: 'a' },
    { match: 'other', node: 'b', slot: 1 },
  ];
  const operators = [
    { match: 'shard:7', node: 'c', slot: 0 },
    { match: 'acme', node: 'b', slot: null },
  ];
  assert.deepEqual(mergePins(configured, operators), [
    { match: 'shard:7', node: 'c', slot: 0 },
    { match: 'acme', node: 'b' },
    { match: 'other', node: 'b', slot: 1 },
  ]);
});

test('the board tells each change once: pins, and documents of a pinned organisation', async () => {
  const database = createMemoryDatabase();
  const store = database.control();
  const worker = database.worker();
  await worker.open({ run: 'run', node: 'a', slot: 0 });
  await worker.claim([7, 8]);
  let changes = 0;
  const failures: unknown[] = [];
  const board = new PinBoard({
    store,
    configured: [{ match: 'acme', node: 'a' }],
    onChange: () => changes++,
    onFailed: (error) => failures.push(error),
  });
  const pinned = () => [...board.resolve(MEMBERS).shards].map(([shard, { node }]) => [shard, node]);
  await board.read();
  await worker.create('acme', 'd', 8, plain('json'));
  await board.read();
  assert.deepEqual(pinned(), [[8, 'a']]);
  await board.read();
  assert.deepEqual([changes, board.revision], [2, 2]);
  await store.setPin({ match: 'acme', node: 'b', slot: null });
  await store.setPin({ match: 'shard:7', node: 'c', slot: null });
  await Promise.all([board.read(), board.read()]);
  assert.deepEqual(pinned(), [
    [7, 'c'],
    [8, 'b'],
  ]);
  database.setAvailable(false);
  await board.read();
  assert.equal(failures.length, 1);
  assert.equal(pinned().length, 2, 'what was known stays');
});

test('rebalancing leaves pinned shards where they are pinned, and is steady', () => {
  const ring = new Ring(MEMBERS);
  const pins = resolvePins([{ match: 'acme', node: 'a' }], MEMBERS, () =>
    Array.from({ length: 200 }, (_, i) => i * 7),
  );
  const once = rebalance(ring, ring.place(), pinnedNodes(pins));
  for (const shard of pins.shards.keys()) assert.equal(once[shard], 'a');
  assert.deepEqual(rebalance(ring, once, pinnedNodes(pins)), once);
  assert.deepEqual(applyPins(once, pins), once);
});
