// Large answers that wait for slow readers are bounded for the node as a whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSE } from '../../actors/link/link-messages.ts';
import { shardOf } from '../../actors/shard.ts';
import { websocketFrame } from '../../protocol/websocket-frame.ts';
import { Owner, opened, startGateway } from './fake-owners.ts';

const KiB = 1024;
const DOC = 'acme/plan';
const snapshot = (bytes: number) =>
  websocketFrame(Buffer.from(JSON.stringify({ type: 'opened', doc: DOC, pad: 'x'.repeat(bytes) })), false);

function start() {
  const started = startGateway({ snapshotBytes: 100 * KiB });
  const owner = new Owner();
  started.place([shardOf(DOC)], owner);
  const open = (client: ReturnType<typeof started.connect>, bytes: number, id = 1): void => {
    const { length } = owner.opens;
    client.send({ type: 'open', doc: DOC, id });
    const at = owner.opens[length];
    if (at !== undefined) started.gateway.messages(owner, [opened(at, 0, [snapshot(bytes)])]);
  };
  return { ...started, owner, open };
}

test('OPEN-10 an open whose answer finds no room is overloaded, and the owner forgets it', async () => {
  const { connect, open, owner } = start();
  const [slow, next] = [connect('client-1'), connect('client-2')];
  slow.stopReading();
  open(slow, 60 * KiB);
  next.submit(DOC, 1);
  open(next, 60 * KiB);
  const error = next.answers('error').find(({ code }) => code === 'overloaded');
  assert.deepEqual([error?.id, error?.doc, error?.retryable], [1, DOC, true]);
  assert.ok(Number(error?.retryAfterMs) > 0);
  assert.deepEqual(next.answers('opened'), []);
  const at = owner.opens[1];
  assert.ok(owner.heard.some((m) => m[0] === CLOSE && m[1] === at?.chan && m[2] === at?.sub));
  open(next, 30 * KiB, 2);
  assert.equal(next.answers('opened').length, 1, 'a smaller one has room');
  await slow.readOn();
});

test('OPEN-10 with hardly any room left the owner is not asked, and is again when readers have taken theirs', async () => {
  const { connect, open, owner } = start();
  const [slow, next] = [connect('client-1'), connect('client-2')];
  slow.stopReading();
  open(slow, 95 * KiB);
  open(next, 1);
  assert.equal(next.answers('error')[0]?.code, 'overloaded');
  assert.equal(owner.opens.length, 1);
  await slow.readOn();
  open(next, 95 * KiB, 2);
  assert.equal(next.answers('opened').length, 1);
  assert.equal(slow.answers('opened').length, 1);
});

test('OPEN-10 the room of a reader that goes is free again', async () => {
  const { connect, open } = start();
  const [slow, next] = [connect('client-1'), connect('client-2')];
  slow.stopReading();
  open(slow, 95 * KiB);
  const closed = new Promise((resolve) => slow.session.stream.once('close', resolve));
  slow.session.stream.destroy();
  await closed;
  open(next, 95 * KiB);
  assert.equal(next.answers('opened').length, 1);
});

test('OPEN-9 what has been open is brought on whatever waits', () => {
  const { connect, open, owner, gateway, place } = start();
  const [slow, next] = [connect('client-1'), connect('client-2')];
  open(next, 1);
  slow.stopReading();
  open(slow, 95 * KiB);
  const other = new Owner();
  place([shardOf(DOC)], other);
  gateway.messages(
    other,
    other.opens.map((at) => opened(at, 1, [snapshot(20 * KiB)])),
  );
  assert.equal(next.answers('opened').length, 2);
  assert.equal(owner.opens.length, 2);
});
