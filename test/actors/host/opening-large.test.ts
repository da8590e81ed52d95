// Opening a large document takes tenths of a second of work, and no other document waits for it. A json
// document is written and read in pieces, with turns of other documents between them. The updates of a yjs
// document are merged by another thread.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unpack } from 'msgpackr';
import * as Y from 'yjs';
import { type Clock, systemClock } from '../../../actors/clock.ts';
import { doSnapshotJob } from '../../../actors/compute/snapshot-job.ts';
import {
  COMMIT,
  JSON_FRAMES,
  jsonOp,
  MSGPACK_FRAMES,
  OPEN,
  OPEN_FAILED,
  OPENED,
  SUBMIT,
  type ToGateway,
  UPDATE_OP,
} from '../../../actors/link/link-messages.ts';
import { HELD_SHAPE } from '../../../kinds/json/held/held.ts';
import { mergeAll } from '../../../kinds/yjs/updates.ts';
import { createMemoryDatabase, type MemoryDatabase } from '../../doubles/store-memory.ts';
import { frameMessage, gate, type Harness, HOST_LIMITS, openOn, startHost } from './host-harness.ts';

const MiB = 1024 * 1024;
const LIMITS = { ...HOST_LIMITS, actor: { ...HOST_LIMITS.actor, documentBytes: 4 * MiB } };
const LARGE = 'acme/large';
const PART = JSON.stringify([
  { op: 'add', path: '/part', value: Array.from({ length: 40_000 }, (_, a) => a) },
]);

type Opened = ToGateway & { readonly 0: typeof OPENED };

const openedOf = (got: readonly ToGateway[]): Opened[] =>
  got.filter((message): message is Opened => message[0] === OPENED);
const commitsOn = (got: readonly ToGateway[], channelId: number): number[] =>
  got.flatMap((message) => (message[0] === COMMIT && message[1] === channelId ? [message[2]] : []));

async function until(host: Harness, holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 50_000 && !holds(); turn++)
    await (turn % 10 === 9 ? new Promise((resolve) => setTimeout(resolve, 1)) : host.turn());
  assert.ok(holds());
}

async function withLargeJson(database: MemoryDatabase): Promise<Harness> {
  const host = await startHost(database, LIMITS);
  host.open(1, LARGE, { kind: 'json' });
  host.send([SUBMIT, 1, 1, 1, 0, jsonOp(PART)]);
  await host.idle();
  await until(host, () => commitsOn(host.got, 1).includes(1));
  return host;
}

test('between two pieces of the snapshot of a large json document others have their turns', async (t) => {
  let now = 0;
  let cost = 0;
  const spentMs = (): number => {
    now += cost;
    return now;
  };
  const host = await startHost(createMemoryDatabase(), LIMITS, spentMs);
  t.after(() => host.host.dispose());
  host.open(1, LARGE, { kind: 'json' });
  openOn(host, 2, 1, 'acme/light');
  host.send([SUBMIT, 1, 1, 1, 0, jsonOp(PART)]);
  await until(host, () => commitsOn(host.got, 1).includes(1));
  host.got.length = 0;
  // Each piece takes more than a slice.
  cost = 10;
  host.open(2, LARGE, { kind: 'json' });
  host.send([SUBMIT, 1, 1, 2, -1, jsonOp(JSON.stringify([{ op: 'add', path: '/late', value: 1 }]))]);
  let seq = 0;
  await until(host, () => {
    if (openedOf(host.got).length === 0)
      host.send([SUBMIT, 2, 1, ++seq, -1, jsonOp(JSON.stringify([{ insert: 'x' }]))]);
    return commitsOn(host.got, 1).includes(2) && openedOf(host.got).length === 1;
  });
  const opened = host.got.findIndex((message) => message[0] === OPENED);
  const others = commitsOn(host.got.slice(0, opened), 2).length;
  assert.ok(others >= 3, `only ${others} edits of the other document came while the snapshot was written`);
  const [frame] = openedOf(host.got)[0]?.[3] ?? [];
  assert.ok(frame !== undefined);
  const { version, snapshot } = frameMessage(frame) as {
    version: number;
    snapshot: { part: number[]; late?: 1 };
  };
  // An edit that comes while the pieces are written is not in them.
  assert.deepEqual([version, snapshot.part.length, snapshot.late], [1, 40_000, undefined]);
});

test('a large json document is brought into memory in pieces', async (t) => {
  const database = createMemoryDatabase();
  const writer = await withLargeJson(database);
  const fold = database.fold();
  const [opened] = openedOf(writer.got);
  const id = Number.parseInt(opened?.[5] ?? '', 36);
  const { deltas } = await fold.read(id, 1);
  const content = JSON.stringify({ part: Array.from({ length: 40_000 }, (_, a) => a) });
  const written = await fold.writeSnapshot(writer.sessionRef, {
    doc: id,
    version: 1,
    epoch: deltas[0]?.epoch ?? 0,
    previous: 0,
    logged: PART.length,
    state: Buffer.from(content),
    clients: [],
  });
  assert.ok(written);
  const me = await database.control().openSession({ run: 'control', node: 'test', slot: -1 });
  await database.control().fence(me, { session: writer.session });
  writer.host.dispose();
  let ms = 0;
  let rests = 0;
  const clock: Clock = {
    ...systemClock,
    now: () => (ms += 20),
    after: (rest, run) => {
      if (rest === 20) rests++;
      return systemClock.after(0, run);
    },
  };
  const host = await startHost(database, LIMITS, undefined, clock);
  t.after(() => host.host.dispose());
  host.open(1, LARGE, { kind: 'json' });
  await until(host, () => openedOf(host.got).length === 1);
  assert.ok(rests >= Math.floor(content.length / HELD_SHAPE.pieceBytes), `it rested ${rests} times`);
  const [frame] = openedOf(host.got)[0]?.[3] ?? [];
  assert.ok(frame !== undefined);
  assert.deepEqual(frameMessage(frame).snapshot, JSON.parse(content));
});

/** An update with these letters, each by an author of its own. */
function update(letter: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, letter.repeat(30_000));
  return Y.encodeStateAsUpdate(doc);
}

/** Returns the text of an empty document after the frames of an `opened`, its letters sorted. */
function textIn(opened: Opened | undefined): string {
  const doc = new Y.Doc();
  for (const frame of opened?.[3] ?? []) {
    const message = frameMessage(frame) as { snapshot?: string; ops?: { op: string }[] };
    for (const op of [message.snapshot, ...(message.ops ?? []).map((each) => each.op)])
      if (op !== undefined) Y.applyUpdate(doc, Buffer.from(op, 'base64'));
  }
  return [...doc.getText('text').toString()].toSorted().join('');
}

async function withLargeYjs(merge: Parameters<typeof startHost>[4]): Promise<Harness> {
  const host = await startHost(createMemoryDatabase(), LIMITS, undefined, undefined, merge);
  host.open(1, LARGE, { kind: 'yjs' });
  for (const [at, letter] of ['a', 'b', 'c'].entries())
    host.send([SUBMIT, 1, 1, at + 1, -1, [UPDATE_OP, update(letter)]]);
  await until(host, () => commitsOn(host.got, 1).includes(3));
  host.got.length = 0;
  return host;
}

test('the updates of a large yjs document are merged elsewhere, once for all who open it, and edits go on', async (t) => {
  const merging = gate();
  let merges = 0;
  const host = await withLargeYjs(async (updates) => {
    merges++;
    await merging.opened;
    return new Uint8Array(mergeAll(updates));
  });
  t.after(() => host.host.dispose());
  host.open(2, LARGE, { kind: 'yjs' });
  host.open(3, LARGE, { kind: 'yjs' });
  host.send([SUBMIT, 1, 1, 4, -1, [UPDATE_OP, update('d')]]);
  await until(host, () => commitsOn(host.got, 1).includes(4));
  assert.equal(merges, 1);
  assert.deepEqual(openedOf(host.got), []);
  merging.open();
  await until(host, () => openedOf(host.got).length === 2);
  const all = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(30_000)).join('');
  for (const opened of openedOf(host.got)) {
    assert.equal(opened[4], 4);
    assert.equal(textIn(opened), all);
  }
  assert.equal(merges, 1);
});

test('if updates cannot be merged, the clients that open the document are told, and the next one tries again', async (t) => {
  let fails = true;
  const host = await withLargeYjs(async (updates) => {
    if (fails) throw new Error('no thread');
    return new Uint8Array(mergeAll(updates));
  });
  t.after(() => host.host.dispose());
  host.open(2, LARGE, { kind: 'yjs' });
  await until(host, () => host.got.some((message) => message[0] === OPEN_FAILED));
  const failed = host.got.find((message) => message[0] === OPEN_FAILED);
  assert.equal(failed?.[3], 'unavailable');
  fails = false;
  host.open(3, LARGE, { kind: 'yjs' });
  await until(host, () => openedOf(host.got).length === 1);
  assert.equal(textIn(openedOf(host.got)[0]).length, 90_000);
});

test('clients that wait for the merge of a large yjs document are answered each in a turn of its own', async (t) => {
  let now = 0;
  let cost = 0;
  const spentMs = (): number => {
    now += cost;
    return now;
  };
  const merging = gate();
  const merge = async (updates: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> => {
    await merging.opened;
    return new Uint8Array(mergeAll(updates));
  };
  const host = await startHost(createMemoryDatabase(), LIMITS, spentMs, undefined, merge);
  t.after(() => host.host.dispose());
  host.open(1, LARGE, { kind: 'yjs' });
  openOn(host, 2, 1, 'acme/light');
  for (const [at, letter] of ['a', 'b', 'c'].entries())
    host.send([SUBMIT, 1, 1, at + 1, -1, [UPDATE_OP, update(letter)]]);
  await until(host, () => commitsOn(host.got, 1).includes(3));
  host.got.length = 0;
  for (let subscriptionId = 2; subscriptionId <= 9; subscriptionId++)
    host.open(subscriptionId, LARGE, { kind: 'yjs' });
  await host.idle();
  // Each answer takes more than a slice.
  cost = 10;
  merging.open();
  let seq = 0;
  await until(host, () => {
    if (commitsOn(host.got, 2).length === seq)
      host.send([SUBMIT, 2, 1, ++seq, -1, jsonOp(JSON.stringify([{ insert: 'x' }]))]);
    return openedOf(host.got).length === 8;
  });
  const first = host.got.findIndex((message) => message[0] === OPENED);
  const last = host.got.findLastIndex((message) => message[0] === OPENED);
  const between = commitsOn(host.got.slice(first, last), 2).length;
  assert.ok(between >= 3, `only ${between} edits of the other document came between the answers`);
  for (const opened of openedOf(host.got)) assert.equal(textIn(opened).length, 90_000);
});

test('while a large yjs document grows faster than it is merged, clients that open it get the patches since in several frames', async (t) => {
  let grow: () => Promise<void> = async () => undefined;
  let merges = 0;
  const host = await withLargeYjs(async (updates) => {
    merges++;
    await grow();
    return new Uint8Array(mergeAll(updates));
  });
  t.after(() => host.host.dispose());
  let seq = 3;
  grow = async () => {
    // The patches exceed one frame.
    const upTo = seq + 6;
    while (seq < upTo) host.send([SUBMIT, 1, 1, ++seq, -1, [UPDATE_OP, update('d')]]);
    await until(host, () => commitsOn(host.got, 1).includes(upTo));
  };
  host.open(2, LARGE, { kind: 'yjs' });
  await until(host, () => openedOf(host.got).length === 1);
  const [opened] = openedOf(host.got);
  assert.equal(merges, 4);
  assert.equal(opened?.[4], seq);
  assert.ok((opened?.[3].length ?? 0) > 2, 'the patches came in one frame');
  assert.equal(textIn(opened).length, 30_000 * seq);
});

test('clients that open a large document at one version share one copy of it on their link', async (t) => {
  const host = await withLargeJson(createMemoryDatabase());
  t.after(() => host.host.dispose());
  host.got.length = 0;
  for (let subscriptionId = 2; subscriptionId <= 21; subscriptionId++)
    host.open(subscriptionId, LARGE, { kind: 'json' });
  await until(host, () => openedOf(host.got).length === 20);
  assert.equal(host.snapshots.size, 1);
  const [pieces = []] = host.snapshots.values();
  assert.ok(pieces.length > 1, 'it came in one piece');
  for (const opened of openedOf(host.got)) {
    const [frame] = opened[3];
    assert.ok(frame !== undefined);
    assert.equal((frameMessage(frame).snapshot as { part: number[] }).part.length, 40_000);
  }
});

test('a patch that commits while a large snapshot goes over the link reaches those who wait for it, once', async (t) => {
  const host = await withLargeJson(createMemoryDatabase());
  t.after(() => host.host.dispose());
  host.got.length = 0;
  host.open(2, LARGE, { kind: 'json' });
  await until(host, () => host.snapshots.size === 1);
  host.send([SUBMIT, 1, 1, 2, -1, jsonOp(JSON.stringify([{ op: 'add', path: '/late', value: 1 }]))]);
  await until(host, () => openedOf(host.got).length === 1 && commitsOn(host.got, 1).includes(2));
  const [opened] = openedOf(host.got);
  const at = host.got.findIndex((message) => message[0] === OPENED);
  const shown = (opened?.[3] ?? []).map((frame) => frameMessage(frame).version);
  const later = commitsOn(host.got.slice(at), 1);
  assert.deepEqual([...shown, ...later], [1, 2]);
});

/** The message of a frame in MessagePack, whose header is that of a large frame. */
const packedMessage = (frame: Uint8Array | undefined): { snapshot?: unknown; version?: number } =>
  unpack((frame ?? new Uint8Array()).subarray(10));

async function withPacking(pack: (json: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>): Promise<Harness> {
  const host = await startHost(createMemoryDatabase(), LIMITS, undefined, undefined, undefined, pack);
  host.open(1, LARGE, { kind: 'json' });
  host.send([SUBMIT, 1, 1, 1, 0, jsonOp(PART)]);
  await until(host, () => commitsOn(host.got, 1).includes(1));
  host.got.length = 0;
  return host;
}

test('a large json document is written as MessagePack elsewhere, once for all who open it, and edits go on', async (t) => {
  const packing = gate();
  let packs = 0;
  const host = await withPacking(async (json) => {
    packs++;
    await packing.opened;
    return new Uint8Array(doSnapshotJob({ type: 'pack', json: new Uint8Array(json) }));
  });
  t.after(() => host.host.dispose());
  for (const subscriptionId of [2, 3, 4])
    host.open(subscriptionId, LARGE, { kind: 'json', codec: MSGPACK_FRAMES });
  await until(host, () => packs === 1);
  host.send([SUBMIT, 1, 1, 2, -1, jsonOp(JSON.stringify([{ op: 'add', path: '/late', value: 1 }]))]);
  await until(host, () => commitsOn(host.got, 1).includes(2));
  assert.deepEqual(openedOf(host.got), []);
  packing.open();
  await until(host, () => openedOf(host.got).length === 3);
  assert.equal(packs, 1);
  assert.equal(host.snapshots.size, 1);
  for (const opened of openedOf(host.got)) {
    assert.equal(opened[4], 2, 'the patch since is in the answer');
    const { version, snapshot } = packedMessage(opened[3][0]);
    assert.equal(version, 1);
    assert.deepEqual(snapshot, { part: Array.from({ length: 40_000 }, (_, a) => a) });
  }
});

test('if a snapshot cannot be packed, the clients that open the document are told, and the next one tries again', async (t) => {
  let fails = true;
  const host = await withPacking(async (json) => {
    if (fails) throw new Error('no thread');
    return new Uint8Array(doSnapshotJob({ type: 'pack', json: new Uint8Array(json) }));
  });
  t.after(() => host.host.dispose());
  host.open(2, LARGE, { kind: 'json', codec: MSGPACK_FRAMES });
  await until(host, () => host.got.some((message) => message[0] === OPEN_FAILED));
  assert.equal(host.got.find((message) => message[0] === OPEN_FAILED)?.[3], 'unavailable');
  fails = false;
  host.open(3, LARGE, { kind: 'json', codec: MSGPACK_FRAMES });
  await until(host, () => openedOf(host.got).length === 1);
});

test('the oldest and the smallest of the documents that wait for the other thread take turns', async (t) => {
  const first = gate();
  const order: number[] = [];
  const host = await startHost(createMemoryDatabase(), LIMITS, undefined, undefined, async (updates) => {
    // The empty update of a new document comes first.
    order.push(updates.length - 1);
    if (order.length === 1) await first.opened;
    return new Uint8Array(mergeAll(updates));
  });
  t.after(() => host.host.dispose());
  // Documents of 3, 7, 6, 5 and 4 updates, which are asked for in this order.
  const sizes = [3, 7, 6, 5, 4];
  const open = (channelId: number, subscriptionId: number): void =>
    host.send([
      OPEN,
      channelId,
      subscriptionId,
      {
        doc: `acme/yjs-${channelId}`,
        client: `client-${channelId}-${subscriptionId}`,
        user: 'u',
        role: 'owner',
        codec: JSON_FRAMES,
        kind: 'yjs',
      },
    ]);
  for (const [at, size] of sizes.entries()) {
    open(at + 1, 1);
    for (let seq = 1; seq <= size; seq++) host.send([SUBMIT, at + 1, 1, seq, -1, [UPDATE_OP, update('a')]]);
    await until(host, () => commitsOn(host.got, at + 1).includes(size));
  }
  for (const at of sizes.keys()) {
    open(at + 1, 2);
    await host.idle();
  }
  first.open();
  await until(host, () => order.length === 5);
  assert.deepEqual(order, [3, 4, 7, 5, 6]);
});
