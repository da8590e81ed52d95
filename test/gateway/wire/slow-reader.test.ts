// A client that does not read is closed with 4508 while the others go on, and comes back by `since`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commits, FileNode, inBoth, type Op } from './contract.ts';

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
  // The buffers of both kernels and the outbox fill up. The client reads on soon after its close, which its socket
  // does not outlive for long. The presence of the client ends while the client still stands.
  const value = 'x'.repeat(200_000);
  let writes = 0;
  const write = async (): Promise<void> => {
    writes++;
    await writer.submit(doc, writes, [{ op: 'add', path: '/v', value: `${writes}${value}` }]);
  };
  while ((await slowReaders()) === 0) {
    assert.ok(writes < 400, 'it is never closed');
    await write();
  }
  await write();
  assert.deepEqual((await writer.next('presence')).states, { [String(slow.id)]: null });
  slow.socket.resume();
  assert.equal((await slow.untilClosed()).code, 4508);
  assert.equal((await commits(reader, doc, 0, writes)).length, writes);
  const seen = slow.received.filter((m) => m.type === 'commit').flatMap((m) => m.ops as Op[]);
  assert.deepEqual(
    seen.map((entry) => entry.seq),
    seen.map((_, i) => i + 1),
  );
  assert.ok(seen.length < writes);
  const back = await file.connect(t, undefined, String(slow.id));
  const since = seen.length;
  const opened = await back.open(doc, undefined, { since, history });
  const rest = [...(opened.ops as Op[]), ...(await commits(back, doc, Number(opened.version), writes))];
  assert.deepEqual(
    rest.map((entry) => entry.seq),
    Array.from({ length: writes - since }, (_, i) => since + i + 1),
  );
});

inBoth('ERR-5 a commit that is larger than an outbox reaches readers that keep up', async (t, codec) => {
  const [writer, reader] = [await file.connect(t, codec), await file.connect(t, codec)];
  const doc = file.newDoc();
  await writer.open(doc, 'json');
  await reader.open(doc);
  await writer.submit(doc, 1, [{ op: 'add', path: '/a', value: 'x'.repeat(200_000) }]);
  const copies = Array.from({ length: 12 }, (_, i) => ({ op: 'copy', from: '/a', path: `/copy-${i}` }));
  await writer.submit(doc, 2, copies);
  await writer.submit(doc, 3, []);
  assert.equal((await commits(reader, doc, 0, 3)).length, 3);
});

/** How many readers this file's node has closed because they were too slow. */
async function slowReaders(): Promise<number> {
  const text = await (await fetch(file.node.metricsUrl)).text();
  const found = /^troupe_sockets_closed_total\{reason="slow-reader"\} (\d+)$/m.exec(text);
  assert.ok(found, 'there is no such metric');
  return Number(found[1]);
}
