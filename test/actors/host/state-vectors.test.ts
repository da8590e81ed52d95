// Subscribers that speak in Yjs updates and state vectors. Each gets what it lacks, joined to the commits without a gap;
// what it sends of what the document has takes no version.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { doSnapshotJob } from '../../../actors/compute/snapshot-job.ts';
import {
  ACK,
  CHECK_OP,
  COMMIT,
  JSON_FRAMES,
  OPEN,
  OPEN_FAILED,
  OPENED,
  PRESENCE,
  REFUSED,
  STATELESS,
  STATELESS_FROM,
  SUBMIT,
  SYNC_OP,
  type ToGateway,
  UPDATE_OP,
  UPDATES,
} from '../../../actors/link/link-messages.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { gate, type Harness, HOST_LIMITS, startHost } from './host-harness.ts';

const MiB = 1024 * 1024;
const LIMITS = { ...HOST_LIMITS, actor: { ...HOST_LIMITS.actor, documentBytes: 4 * MiB } };
const DOC = 'acme/yjs';

type Opened = ToGateway & { readonly 0: typeof OPENED };
type Commit = ToGateway & { readonly 0: typeof COMMIT };

const openedOf = ({ got }: Harness): Opened[] =>
  got.filter((message): message is Opened => message[0] === OPENED);
const commitsOf = ({ got }: Harness): Commit[] =>
  got.filter((message): message is Commit => message[0] === COMMIT);

async function until(host: Harness, holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 50_000 && !holds(); turn++)
    await (turn % 10 === 9 ? new Promise((resolve) => setTimeout(resolve, 1)) : host.turn());
  assert.ok(holds());
}

/** A Y.Doc that keeps the updates of its own edits. */
function author(): { readonly doc: Y.Doc; readonly take: () => Uint8Array } {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin !== 'other') updates.push(update);
  });
  return { doc, take: () => Y.mergeUpdates(updates.splice(0)) };
}

function copyOf(doc: Y.Doc): Y.Doc {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return copy;
}

/** Applies what a subscriber was told: the `opened` with this number, and all commits behind it. */
function follow(host: Harness, subscriptionId: number, doc: Y.Doc): Y.Doc {
  const at = host.got.findIndex((message) => message[0] === OPENED && message[2] === subscriptionId);
  const opened = host.got[at];
  assert.ok(opened?.[0] === OPENED);
  for (const update of opened[3]) Y.applyUpdate(doc, update);
  let version = opened[4];
  for (const message of host.got.slice(at)) {
    if (message[0] !== COMMIT) continue;
    const [, , upTo, , , , updates = []] = message;
    assert.equal(upTo - updates.length, version, 'a commit leaves a gap or repeats a version');
    version = upTo;
    for (const update of updates) Y.applyUpdate(doc, update);
  }
  return doc;
}

const textOf = (doc: Y.Doc): string => doc.getText('text').toString();
const openUpdates = (host: Harness, subscriptionId: number, vector?: Uint8Array): void =>
  host.open(subscriptionId, DOC, {
    kind: 'yjs',
    codec: UPDATES,
    ...(vector === undefined ? {} : { vector }),
  });
const send = (host: Harness, subscriptionId: number, seq: number, update: Uint8Array): void =>
  host.send([SUBMIT, 1, subscriptionId, seq, -1, [SYNC_OP, update]]);

test('a subscriber gets what its state vector lacks, and then the updates of every commit', async (t) => {
  const host = await startHost(createMemoryDatabase(), LIMITS);
  t.after(() => host.host.dispose());
  const { doc, take } = author();
  openUpdates(host, 1);
  await host.idle();
  for (let seq = 1; seq <= 20; seq++) {
    doc.getText('text').insert(0, `${seq},`);
    send(host, 1, seq, take());
  }
  await until(host, () => commitsOf(host).at(-1)?.[2] === 20);
  const away = copyOf(doc);
  for (let seq = 21; seq <= 25; seq++) {
    doc.getText('text').insert(0, `${seq},`);
    send(host, 1, seq, take());
  }
  openUpdates(host, 2, Y.encodeStateVector(away));
  openUpdates(host, 3);
  openUpdates(host, 4, Y.encodeStateVector(doc));
  doc.getText('text').insert(0, 'last,');
  const last = take();
  send(host, 1, 26, last);
  await until(host, () => commitsOf(host).at(-1)?.[2] === 26 && openedOf(host).length === 4);
  for (const [subscriptionId, peer] of [
    [2, away],
    [3, new Y.Doc()],
  ] as const)
    assert.equal(textOf(follow(host, subscriptionId, peer)), textOf(doc));
  const [late, whole, none] = [2, 3, 4].map((subscriptionId) =>
    openedOf(host)
      .find((opened) => opened[2] === subscriptionId)?.[3]
      .reduce((sum, { length }) => sum + length, 0),
  );
  // The last edit may have come before the answer.
  assert.ok(
    none !== undefined && none <= 2 + last.length,
    `${none} bytes for a subscriber that lacks nothing`,
  );
  assert.ok(late !== undefined && whole !== undefined && late < whole / 2);
  for (const opened of openedOf(host).slice(1)) {
    const [, , , , version, , , , , , state] = opened;
    const letters = textOf(doc).length - (26 - version) * 'last,'.length;
    assert.equal(Y.decodeStateVector(state?.vector ?? new Uint8Array()).get(doc.clientID), letters);
  }
});

test('an update of which the document has all is acknowledged once that is durable, and takes no version', async (t) => {
  const host = await startHost(createMemoryDatabase(), LIMITS);
  t.after(() => host.host.dispose());
  const { doc, take } = author();
  openUpdates(host, 1);
  openUpdates(host, 2);
  await host.idle();
  doc.getText('text').insert(0, 'some text');
  doc.getText('text').delete(2, 3);
  send(host, 1, 1, take());
  send(host, 2, 1, Y.encodeStateAsUpdate(doc));
  await until(host, () => host.got.some((message) => message[0] === ACK));
  const committed = host.got.findIndex((message) => message[0] === COMMIT);
  const acked = host.got.findIndex((message) => message[0] === ACK);
  assert.deepEqual(host.got[acked], [ACK, 1, 2, 1, 1]);
  assert.ok(committed >= 0 && committed < acked, 'it was acknowledged before it was durable');
  // The same client goes on with the next number.
  doc.getText('text').insert(0, 'more ');
  send(host, 2, 2, Y.encodeStateAsUpdate(doc));
  await until(host, () => commitsOf(host).at(-1)?.[2] === 2);
  const [, , , , , acks, updates = []] = commitsOf(host).at(-1) ?? [];
  assert.deepEqual(acks, [2, 2]);
  assert.ok((updates[0]?.length ?? 0) < Y.encodeStateAsUpdate(doc).length, 'old content was committed again');
  assert.equal(textOf(follow(host, 1, new Y.Doc())), textOf(doc));
});

test('the edits that a Yjs client made while it was offline commit as one patch, also above limits.workMs', async (t) => {
  const limits = { ...LIMITS, actor: { ...LIMITS.actor, workMs: 0.05 } };
  const host = await startHost(createMemoryDatabase(), limits);
  t.after(() => host.host.dispose());
  const { doc, take } = author();
  host.open(1, DOC, { kind: 'yjs' });
  openUpdates(host, 2);
  await until(host, () => openedOf(host).length === 2);
  for (let i = 0; i < 1_000; i++) doc.getText('text').insert(i % 2 === 0 ? 0 : i, 'x');
  const update = take();
  host.send([SUBMIT, 1, 1, 1, -1, [UPDATE_OP, update]]);
  await until(host, () => host.got.some((message) => message[0] === REFUSED));
  assert.equal(host.got.find((message) => message[0] === REFUSED)?.[4], 'too-large');
  send(host, 2, 1, update);
  await until(host, () => commitsOf(host).length === 1);
  assert.equal(textOf(follow(host, 2, new Y.Doc())), textOf(doc));
});

test('subscribers of frames and of updates share a document', async (t) => {
  const host = await startHost(createMemoryDatabase(), LIMITS);
  t.after(() => host.host.dispose());
  const { doc, take } = author();
  host.open(1, DOC, { kind: 'yjs' });
  openUpdates(host, 2);
  await until(host, () => openedOf(host).length === 2);
  doc.getText('text').insert(0, 'a');
  host.send([SUBMIT, 1, 1, 1, -1, [UPDATE_OP, take()]]);
  host.send([PRESENCE, 1, 1, '{"name":"ann"}']);
  await until(host, () => commitsOf(host).length === 1);
  const [commit] = commitsOf(host);
  assert.ok(commit?.[3] !== null && commit?.[4] === null && commit?.[6]?.length === 1);
  openUpdates(host, 3);
  await until(host, () => openedOf(host).length === 3);
  assert.deepEqual(openedOf(host)[2]?.[10]?.states, ['client-1', '{"name":"ann"}']);
  assert.equal(textOf(follow(host, 3, new Y.Doc())), 'a');
});

test('a document of another kind, and bytes that are no state vector, are refused', async (t) => {
  const host = await startHost(createMemoryDatabase(), LIMITS);
  t.after(() => host.host.dispose());
  const request = { doc: 'acme/json', user: 'u', role: 'owner' } as const;
  host.send([OPEN, 2, 1, { ...request, client: 'client-1', codec: JSON_FRAMES, kind: 'json' }]);
  await until(host, () => openedOf(host).length === 1);
  host.send([OPEN, 2, 2, { ...request, client: 'client-2', codec: UPDATES, kind: 'yjs' }]);
  openUpdates(host, 3, Uint8Array.of(9, 1));
  openUpdates(host, 4, new Uint8Array(MiB + 1));
  await until(host, () => host.got.filter((message) => message[0] === OPEN_FAILED).length === 3);
  const codes = host.got.flatMap((message) => (message[0] === OPEN_FAILED ? [message[3]] : []));
  assert.deepEqual(codes.toSorted(), ['bad-message', 'too-large', 'wrong-kind']);
  assert.deepEqual(host.failed, []);
});

test('a subscription that is taken up again gets the updates since its version', async (t) => {
  const host = await startHost(createMemoryDatabase(), LIMITS);
  t.after(() => host.host.dispose());
  const { doc, take } = author();
  openUpdates(host, 1);
  for (let seq = 1; seq <= 3; seq++) {
    doc.getText('text').insert(0, `${seq}`);
    send(host, 1, seq, take());
  }
  await until(host, () => commitsOf(host).at(-1)?.[2] === 3);
  const history = openedOf(host)[0]?.[5] ?? '';
  host.open(2, DOC, { kind: 'yjs', codec: UPDATES, since: 1, history, resume: true });
  await until(host, () => openedOf(host).length === 2);
  const [, , , updates, version, , , complete] = openedOf(host)[1] ?? [];
  assert.deepEqual([updates?.length, version, complete], [2, 3, true]);
});

test('an update of a reader is acknowledged if the document has everything in it, and refused otherwise', async (t) => {
  const host = await startHost(createMemoryDatabase(), LIMITS);
  t.after(() => host.host.dispose());
  const { doc, take } = author();
  openUpdates(host, 1);
  doc.getText('text').insert(0, 'abc');
  doc.getText('text').delete(1, 1);
  send(host, 1, 1, take());
  await until(host, () => commitsOf(host).length === 1);
  const check = (seq: number): void =>
    host.send([SUBMIT, 1, 1, seq, -1, [CHECK_OP, Y.encodeStateAsUpdate(doc)]]);
  check(2);
  await until(host, () => host.got.some((m) => m[0] === ACK && m[3] === 2));
  // A deletion adds nothing to the state vector.
  doc.getText('text').delete(0, 1);
  check(3);
  await until(host, () => host.got.some((m) => m[0] === REFUSED && m[3] === 3 && m[4] === 'forbidden'));
  doc.getText('text').insert(0, 'd');
  check(4);
  await until(host, () => host.got.some((m) => m[0] === REFUSED && m[3] === 4 && m[4] === 'forbidden'));
  assert.equal(commitsOf(host).length, 1);
});

test('a stateless message reaches the links with subscribers of updates once, with its author', async (t) => {
  const host = await startHost(createMemoryDatabase(), LIMITS);
  t.after(() => host.host.dispose());
  openUpdates(host, 1);
  openUpdates(host, 2);
  await until(host, () => openedOf(host).length === 2);
  host.send([STATELESS, 1, 2, 'hello']);
  const told = (): ToGateway[] => host.got.filter((m) => m[0] === STATELESS_FROM);
  await until(host, () => told().length > 0);
  assert.deepEqual(told(), [[STATELESS_FROM, 1, 2, 'hello']]);
});

/** A document of 400 kB by one author, of which `peers` have the first parts. */
async function withLarge(
  diff: Parameters<typeof startHost>[6],
): Promise<{ readonly host: Harness; readonly doc: Y.Doc; readonly parts: Y.Doc[] }> {
  const host = await startHost(
    createMemoryDatabase(),
    LIMITS,
    undefined,
    undefined,
    undefined,
    undefined,
    diff,
  );
  const { doc, take } = author();
  const parts: Y.Doc[] = [];
  openUpdates(host, 1);
  for (let seq = 1; seq <= 10; seq++) {
    doc.getText('text').insert(0, `${seq}`.repeat(40_000 / `${seq}`.length));
    send(host, 1, seq, take());
    parts.push(copyOf(doc));
  }
  await until(host, () => commitsOf(host).at(-1)?.[2] === 10);
  return { host, doc, parts };
}

test('the part of a large document that peers lack is cut out of it elsewhere, once for all with one vector, and edits go on', async (t) => {
  const cutting = gate();
  const jobs: number[] = [];
  const { host, doc, parts } = await withLarge(async (job) => {
    jobs.push(job.vectors.length);
    await cutting.opened;
    return new Uint8Array(doSnapshotJob(job));
  });
  t.after(() => host.host.dispose());
  const peers = [5, 5, 6, 5, 6].map((at) => copyOf(parts[at] ?? new Y.Doc()));
  for (const [at, peer] of peers.entries()) openUpdates(host, 2 + at, Y.encodeStateVector(peer));
  await until(host, () => jobs.length === 1);
  const late = author();
  late.doc.getText('other').insert(0, 'late');
  send(host, 1, 11, late.take());
  await until(host, () => commitsOf(host).at(-1)?.[2] === 11);
  assert.equal(openedOf(host).length, 1);
  cutting.open();
  await until(host, () => openedOf(host).length === 6);
  assert.ok(jobs.reduce((sum, vectors) => sum + vectors, 0) <= 3, `${jobs} vectors`);
  for (const [at, peer] of peers.entries()) {
    const opened = openedOf(host).find((message) => message[2] === 2 + at);
    assert.ok((opened?.[3][0]?.length ?? 0) < 200_000);
    follow(host, 2 + at, peer);
    assert.equal(textOf(peer), textOf(doc));
    assert.equal(peer.getText('other').toString(), 'late');
  }
});

test('beyond a bound of memory further peers get the whole of a large document in place of a part', async (t) => {
  const cutting = gate();
  const { host, doc, parts } = await withLarge(async (job) => {
    await cutting.opened;
    return new Uint8Array(doSnapshotJob(job));
  });
  t.after(() => host.host.dispose());
  const peer = parts[5] ?? new Y.Doc();
  const vector = Y.encodeStateVector(peer);
  // Each part may have 200 kB, and all together 128 MiB.
  for (let subscriptionId = 2; subscriptionId <= 750; subscriptionId++) {
    openUpdates(host, subscriptionId, vector);
    if (subscriptionId % 50 === 0) await host.idle();
  }
  await until(host, () => openedOf(host).length > 1);
  const last = openedOf(host).at(-1);
  assert.ok((last?.[3][0]?.length ?? 0) > 400_000);
  assert.ok(openedOf(host).length < 120, `${openedOf(host).length} got the whole`);
  cutting.open();
  await until(host, () => openedOf(host).length === 750);
  assert.equal(textOf(follow(host, 2, peer)), textOf(doc));
});

test('peers that have nothing of a large document share the whole of it', async (t) => {
  const { host, doc } = await withLarge(() => Promise.reject(new Error('not asked for')));
  t.after(() => host.host.dispose());
  for (let subscriptionId = 2; subscriptionId <= 6; subscriptionId++) openUpdates(host, subscriptionId);
  await until(host, () => openedOf(host).length === 6);
  assert.equal(host.snapshots.size, 1);
  for (let subscriptionId = 2; subscriptionId <= 6; subscriptionId++)
    assert.equal(textOf(follow(host, subscriptionId, new Y.Doc())), textOf(doc));
});

test('if the part cannot be cut out, the peers are told, and the next one tries again', async (t) => {
  let fails = true;
  const { host, doc, parts } = await withLarge(async (job) => {
    if (fails) throw new Error('no thread');
    return new Uint8Array(doSnapshotJob(job));
  });
  t.after(() => host.host.dispose());
  const peer = parts[5] ?? new Y.Doc();
  openUpdates(host, 2, Y.encodeStateVector(peer));
  await until(host, () => host.got.some((message) => message[0] === OPEN_FAILED));
  assert.equal(host.got.find((message) => message[0] === OPEN_FAILED)?.[3], 'unavailable');
  fails = false;
  openUpdates(host, 3, Y.encodeStateVector(peer));
  await until(host, () => openedOf(host).length === 2);
  assert.equal(textOf(follow(host, 3, peer)), textOf(doc));
});
