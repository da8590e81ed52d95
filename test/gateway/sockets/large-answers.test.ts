// Large answers that wait for slow readers are bounded for the node as a whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSE, COMMIT, OPENED, SNAPSHOT, type ToGateway } from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import { websocketFrame } from '../../../protocol/websocket-frame.ts';
import { Owner, opened, startGateway } from '../fake-owners.ts';

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
  assert.ok(owner.heard.some((m) => m[0] === CLOSE && m[1] === at?.channelId && m[2] === at?.subscriptionId));
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

test('OPEN-9 a document that was open is brought on whatever waits', () => {
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

const HEAD = '{"type":"opened","pad":"';
const TAIL = '"}';

/** The messages of a snapshot in two pieces that frames share, and the answer to an open that refers to it. */
function shared(number: number, bytes: number): readonly ToGateway[] {
  const half = new Uint8Array(bytes / 2).fill(0x78);
  return [
    [SNAPSHOT, number, half],
    [SNAPSHOT, number, half],
  ];
}

function referring(
  at: { channelId: number; subscriptionId: number } | undefined,
  number: number,
  bytes: number,
): ToGateway {
  assert.ok(at);
  const whole = websocketFrame(Buffer.from(`${HEAD}${'x'.repeat(bytes)}${TAIL}`), false);
  const parts = [whole.subarray(0, whole.length - bytes - TAIL.length), Buffer.from(TAIL)];
  return [OPENED, at.channelId, at.subscriptionId, parts, 0, 'h1', [], true, 0, number];
}

const commitFrame = (version: number): Uint8Array =>
  websocketFrame(Buffer.from(JSON.stringify({ type: 'commit', doc: DOC, version, ops: [] })), false);

test('OPEN-10 the frames of readers that share a snapshot hold it whole, and its bytes count once', async () => {
  const { connect, owner, gateway } = start();
  const clients = [connect('client-1'), connect('client-2'), connect('client-3')];
  const bytes = 60 * KiB;
  gateway.messages(owner, shared(7, bytes));
  for (const client of clients) {
    client.stopReading();
    client.send({ type: 'open', doc: DOC, id: 1 });
    gateway.messages(owner, [referring(owner.opens.at(-1), 7, bytes)]);
  }
  for (const client of clients) {
    await client.readOn();
    assert.deepEqual(client.answers('error'), []);
    assert.deepEqual(
      client.answers('opened').map(({ pad }) => String(pad).length),
      [bytes],
    );
  }
  // These answers did not fit one by one, and all of their room is free again.
  const next = connect('client-4');
  next.send({ type: 'open', doc: DOC, id: 1 });
  gateway.messages(owner, [opened(owner.opens.at(-1), 0, [snapshot(95 * KiB)])]);
  assert.equal(next.answers('opened').length, 1);
});

test('OPEN-10 ORDER-1 eight large answers are begun at once; the next waits for its turn, and what follows it waits behind it', async () => {
  const { connect, owner, gateway, tick } = startUnbounded();
  const slow = Array.from({ length: 8 }, (_, i) => connect(`client-${i}`));
  const bytes = 80 * KiB;
  gateway.messages(owner, shared(1, bytes));
  const openBy = (client: (typeof slow)[number]): void => {
    client.send({ type: 'open', doc: DOC, id: 1 });
    gateway.messages(owner, [referring(owner.opens.at(-1), 1, bytes)]);
  };
  for (const client of slow) {
    client.stopReading();
    openBy(client);
  }
  const [late, later] = [connect('client-late'), connect('client-later')];
  openBy(late);
  openBy(later);
  gateway.messages(owner, [[COMMIT, owner.channelId, 1, commitFrame(1), null, []]]);
  late.send({ type: 'ping', id: 2 });
  assert.deepEqual([late.answers('opened'), late.answers('commit'), late.answers('pong')], [[], [], []]);
  const [first] = slow;
  assert.ok(first);
  await first.readOn();
  assert.equal(late.answers('opened').length, 1, 'a reader that has taken its answer makes room');
  // The frames are counted by type, in this order.
  const types = ['opened', 'commit', 'pong'];
  assert.deepEqual(
    types.toSorted((a, b) => late.text().indexOf(`"${a}"`) - late.text().indexOf(`"${b}"`)),
    types,
  );
  // The other seven readers stand still. They do not hold up the rest for long.
  tick(100);
  assert.equal(later.answers('opened').length, 1);
  assert.equal(later.answers('commit').length, 1);
});

test('OPEN-10 after a MiB of large answers the thread rests before the next one', () => {
  const { connect, owner, gateway, tick } = startUnbounded();
  const bytes = 600 * KiB;
  gateway.messages(owner, shared(1, bytes));
  const clients = Array.from({ length: 5 }, (_, i) => connect(`client-${i}`));
  for (const client of clients) {
    client.send({ type: 'open', doc: DOC, id: 1 });
    gateway.messages(owner, [referring(owner.opens.at(-1), 1, bytes)]);
  }
  const begun = (): number => clients.filter((client) => client.answers('opened').length > 0).length;
  assert.equal(begun(), 2);
  tick(2);
  assert.equal(begun(), 4);
  tick(2);
  assert.equal(begun(), 5);
});

test('ERR-5 a socket that is closed while its large answer waits gets the answer before the close', () => {
  const { connect, owner, gateway } = startUnbounded();
  const bytes = 600 * KiB;
  gateway.messages(owner, shared(1, bytes));
  const clients = Array.from({ length: 3 }, (_, i) => connect(`client-${i}`));
  for (const client of clients) {
    client.send({ type: 'open', doc: DOC, id: 1 });
    gateway.messages(owner, [referring(owner.opens.at(-1), 1, bytes)]);
  }
  const last = clients[2];
  assert.ok(last);
  assert.equal(last.answers('opened').length, 0);
  // The harness has no connected socket that could close.
  Object.assign(last.session.socket, { close: () => undefined });
  last.session.close(1012, 'drained');
  assert.equal(last.answers('opened').length, 1);
});

/** Starts a gateway with a bound that these answers do not reach. */
function startUnbounded() {
  const started = startGateway();
  const owner = new Owner();
  started.place([shardOf(DOC)], owner);
  return { ...started, owner };
}
