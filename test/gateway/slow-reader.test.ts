// A reader that does not read: closed with 4508 while the others go on, and it comes back by `since`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commits, FileNode, type Op } from './contract.ts';

const MiB = 1024 * 1024;
const file = new FileNode({ gateway: { outboxBytes: MiB }, commit: { queueBytes: 64 * MiB } });

test('ERR-5 ORDER-1 PRES-4 a reader that stands still is closed with 4508, and nobody waits for it', async (t) => {
  const [writer, reader, slow] = [await file.connect(t), await file.connect(t), await file.connect(t)];
  const doc = file.newDoc();
  const { history } = await writer.open(doc, 'json');
  await reader.open(doc);
  await slow.open(doc);
  slow.send({ type: 'presence', doc, data: 'standing still' });
  await writer.next('presence');
  slow.socket.pause();
  // More than the buffers of both kernels and the outbox hold together.
  const WRITES = 100;
  const value = 'x'.repeat(200_000);
  for (let seq = 1; seq <= WRITES; seq++) {
    await writer.submit(doc, seq, [{ op: 'add', path: '/v', value: `${seq}${value}` }]);
  }
  assert.equal((await commits(reader, doc, 0, WRITES)).length, WRITES);
  // Its presence goes while it still stands.
  const gone = await writer.next('presence');
  assert.deepEqual(gone.states, { [String(slow.id)]: null });
  slow.socket.resume();
  assert.equal((await slow.untilClosed()).code, 4508);
  const seen = slow.received.filter((m) => m.type === 'commit').flatMap((m) => m.ops as Op[]);
  assert.deepEqual(seen.map((entry) => entry.seq), seen.map((_, i) => i + 1));
  assert.ok(seen.length < WRITES);
  const back = await file.connect(t, undefined, String(slow.id));
  const since = seen.length;
  const opened = await back.open(doc, undefined, { since, history });
  const rest = [...(opened.ops as Op[]), ...(await commits(back, doc, Number(opened.version), WRITES))];
  assert.deepEqual(rest.map((entry) => entry.seq), Array.from({ length: WRITES - since }, (_, i) => since + i + 1));
});
