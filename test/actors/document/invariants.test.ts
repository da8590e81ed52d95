// The invariants of a document's actor. A broken one is an assertion, which ends this document's actor before
// anything wrong is committed or told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fold } from '../../../actors/compute/fold.ts';
import { Document } from '../../../actors/document/document.ts';
import type { Entry } from '../../../actors/document/entry.ts';
import { Gate } from '../../../actors/document/gate.ts';
import { ClientMemory } from '../../../actors/document/submits/client-memory.ts';
import { jsonOp } from '../../../actors/link/link-messages.ts';
import { assertMove } from '../../../actors/modes.ts';
import { kindOf } from '../../../kinds/registry.ts';

const LIMITS = { documentBytes: 1_000_000, depth: 100, workMs: 1000 };
const PATCH = '[{"insert":"a"}]';

const entry = (version: number): Entry => ({
  version,
  client: 'client-1',
  seq: version,
  size: PATCH.length,
  op: [{ insert: 'a' }],
  stored: undefined,
});
const delta = (version: number, epoch: number, seq = version) => ({
  version,
  epoch,
  seq,
  client: 'client-1',
  user: 'user',
  op: Buffer.from(PATCH),
});

function load(deltas: readonly ReturnType<typeof delta>[], snapshotVersion = 0): Document {
  const snapshot = snapshotVersion === 0 ? undefined : Buffer.from('[{"insert":"\\n"}]');
  const loaded = { id: 1, snapshotVersion, snapshot, deltas };
  return new Document(kindOf('rich-text'), loaded, { clients: [], someForgotten: false }, LIMITS);
}

test('ORDER-1 the gate takes and lets out versions one after the other, and durability does not fall', () => {
  const gate = new Gate(4);
  assert.throws(() => gate.commit(entry(6)), /out of order/);
  gate.commit(entry(5));
  assert.throws(() => gate.commit(entry(5)), /out of order/);
  gate.release(5, () => undefined);
  assert.throws(() => gate.release(4, () => undefined), /not durable any more/);
});

test('ORDER-1 DUR-1 the versions of a document follow each other, and durable ones lie between the last and the head', () => {
  const document = load([delta(1, 1), delta(2, 1)]);
  assert.throws(() => document.replay(delta(4, 1)), /version 4 follows 2/);
  assert.throws(() => document.durableTo(3), /passes the head/);
  assert.throws(() => document.durableTo(1), /falls/);
  assert.equal(
    document.submit({ client: 'client-2', user: '', seq: 1, base: 2, op: jsonOp(PATCH) }).type,
    'committed',
  );
  document.durableTo(3);
  assert.equal(document.durable, 3);
});

test('ORDER-1 a log in which an epoch falls is not served', () => {
  assert.equal(load([delta(1, 1), delta(2, 3), delta(3, 3)]).head, 3);
  assert.throws(() => load([delta(1, 3), delta(2, 2)]), /epoch 2 follows 3/);
});

test('ONCE-1 the seqs of a client rise along versions, also in the log', () => {
  const memory = new ClientMemory(false);
  memory.committed(3, 10, 'user');
  assert.throws(() => memory.committed(3, 11, 'user'), /do not rise/);
  assert.throws(() => memory.committed(4, 10, 'user'), /do not rise/);
  assert.throws(() => load([delta(1, 1, 7), delta(2, 1, 7)]), /do not rise/);
});

test('DUR-1 the log that is loaded or folded begins right after the snapshot, and has no gap', async () => {
  assert.equal(load([delta(6, 1)], 5).head, 6);
  assert.throws(() => load([delta(7, 1)], 5), /version 7 follows 5/);
  assert.throws(() => load([delta(5, 1)], 5), /version 5 follows 5/);
  const written: number[] = [];
  const folded = (versions: readonly number[]): Promise<unknown> =>
    fold(
      {
        read: async () => ({
          id: 1,
          snapshotVersion: 5,
          snapshot: Buffer.from('[{"insert":"\\n"}]'),
          deltas: versions.map((version) => delta(version, 1)),
        }),
        writeSnapshot: async (_session, { version }) => written.push(version) > 0,
        refuseBelow: () => undefined,
        close: async () => undefined,
      },
      { session: { id: 1, nonce: 'n' }, doc: 1, kind: 'rich-text', version: 7 },
    );
  await assert.rejects(folded([7]), /version 7 follows 5/);
  await assert.rejects(folded([5, 6, 7]), /version 5 follows 5/);
  assert.deepEqual(written, []);
  await folded([6, 7]);
  assert.deepEqual(written, [7]);
});

test('a lifecycle makes the moves of its table only', () => {
  const moves = { on: ['off'], off: [] } as const;
  assertMove('a lamp', moves, 'on', 'off');
  assert.throws(() => assertMove('a lamp', moves, 'off', 'on'), /a lamp does not go from off to on/);
});
