// The endpoint for y-websocket, frame by frame, beside clients of the contract on the same documents.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { msgpackCodec } from '../../protocol/codec.ts';
import { FileNode, holdCommits } from '../gateway/wire/contract.ts';
import { until, untilSeen } from '../support/until.ts';
import { YwsClient } from './yws-client.ts';

const file = new FileNode();

const textOf = (update: Uint8Array): string => {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return doc.getText('t').toString();
};

const updateOf = (text: string): Uint8Array => {
  const doc = new Y.Doc();
  doc.getText('t').insert(0, text);
  return Y.encodeStateAsUpdate(doc);
};

test('YWS-1 YWS-3 a client creates the document, and gets what it lacks and the question for what the server lacks', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const ada = await YwsClient.connect(t, port, doc);
  ada.step1();
  assert.deepEqual((await ada.next('step-2')).bytes, Uint8Array.of(0, 0));
  assert.deepEqual((await ada.next('step-1')).bytes, Uint8Array.of(0));
  ada.insert('hello');
  await ada.next('update');
  const bob = await YwsClient.connect(t, port, doc);
  bob.step1();
  assert.equal(textOf((await bob.next('step-2')).bytes), 'hello');
  const { bytes } = await bob.next('step-1');
  assert.deepEqual(bytes, Y.encodeStateVector(ada.doc));
  // A client that has everything lacks nothing.
  ada.step1();
  assert.deepEqual((await ada.next('step-2')).bytes, Uint8Array.of(0, 0));
});

test('YWS-4 an update reaches all readers in both protocols, its author only once it is durable', async (t) => {
  const { port, storageUrl } = file.node;
  const doc = file.newDoc();
  const [ada, bob] = [await YwsClient.synced(t, port, doc), await YwsClient.synced(t, port, doc)];
  const eve = await file.connect(t, msgpackCodec);
  await eve.open(doc, 'yjs');
  const release = await holdCommits(t, storageUrl);
  const update = ada.insert('abc');
  // A presence is exempt, so it passes the update.
  ada.aware({ yjsClient: ada.doc.clientID, clock: 1, text: '{"at":1}' });
  await bob.state(ada.doc.clientID, '{"at":1}');
  assert.equal(
    ada.received.some(({ type }) => type === 'update'),
    false,
  );
  assert.equal(
    bob.received.some(({ type }) => type === 'update'),
    false,
  );
  await release();
  assert.deepEqual((await ada.next('update')).bytes, update);
  assert.deepEqual((await bob.next('update')).bytes, update);
  const commit = await eve.next('commit');
  const [op] = commit.ops as { op: Uint8Array }[];
  assert.deepEqual(Uint8Array.from(op?.op ?? []), update);
  await eve.submit(doc, 1, updateOf('x'));
  await untilSeen(
    'the update of the client of the contract',
    () => bob.text.includes('x') && ada.text === bob.text,
  );
});

test('YWS-3 a step 2 brings what the server lacks, and messages before the open wait for it', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const ada = await YwsClient.connect(t, port, doc);
  // In the order of a stock client, and all at once.
  ada.aware({ yjsClient: ada.doc.clientID, clock: 0, text: '{}' });
  ada.insert('early ');
  ada.step1(Uint8Array.of(0));
  ada.queryAwareness();
  const bob = await YwsClient.synced(t, port, doc);
  await until(() => bob.text === 'early ');
  bob.doc.getText('t').insert(6, 'late');
  bob.step2(Y.encodeStateAsUpdate(bob.doc));
  await until(() => ada.text === 'early late');
});

test('YWS-7 a frame that is not of the protocol closes its socket with 4400, and the others go on', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const bob = await YwsClient.synced(t, port, doc);
  for (const frame of [
    Buffer.of(),
    Buffer.of(9),
    Buffer.of(0, 7),
    Buffer.of(0, 2, 200),
    Buffer.of(0, 2, 1, 0, 0),
    Buffer.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 255),
    Buffer.of(1, 4, 1, 1, 0, 9),
    'text',
  ]) {
    const ada = await YwsClient.synced(t, port, doc);
    ada.socket.send(frame);
    assert.equal((await ada.untilClosed()).code, 4400, String(frame));
  }
  bob.insert('on');
  await bob.next('update');
});

test('YWS-6 YWS-8 an update that is no update is denied, never sent on, and its socket ends with 4400', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const [ada, bob] = [await YwsClient.synced(t, port, doc), await YwsClient.synced(t, port, doc)];
  ada.update(Uint8Array.of(1, 2, 3));
  await ada.next('denied');
  assert.equal((await ada.untilClosed()).code, 4400);
  assert.equal(
    bob.received.some(({ type }) => type === 'update'),
    false,
  );
});

test('YWS-8 a name that is none, and a document of another kind, are told and closed with 4400', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const eve = await file.connect(t);
  await eve.open(doc, 'json');
  const refused = async (path: string): Promise<void> => {
    const ada = await YwsClient.connect(t, port, path);
    ada.step1();
    await ada.next('denied');
    assert.equal((await ada.untilClosed()).code, 4400, path);
  };
  await Promise.all([doc, 'acme', 'acme/a/b', 'ACME/a', 'acme/%E0%A4%A'].map(refused));
});

test('YWS-1 an encoded path names the same document, and a subprotocol that is offered is agreed to', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const ada = await YwsClient.synced(t, port, doc);
  const bob = await YwsClient.connect(t, port, encodeURIComponent(doc), {}, ['any', 'other']);
  assert.equal(bob.socket.protocol, 'any');
  await bob.sync();
  ada.insert('same');
  await until(() => bob.text === 'same');
});

test('AWARE-1 AWARE-3 presence goes between both protocols, and back to its own client with its clock', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const ada = await YwsClient.synced(t, port, doc);
  const eve = await file.connect(t);
  await eve.open(doc, 'yjs');
  ada.aware({ yjsClient: 77, clock: 5, text: '{"name":"Ada"}' });
  const told = await eve.next('presence');
  const [[id, state] = []] = Object.entries(told.states as Record<string, unknown>);
  assert.deepEqual(state, { name: 'Ada' });
  const own = await ada.next('awareness');
  assert.deepEqual(own.states, [{ yjsClient: 77, clock: 5, text: '{"name":"Ada"}' }]);
  eve.send({ type: 'presence', doc, data: { name: 'Eve' } });
  const { states } = await ada.next('awareness');
  assert.equal(states[0]?.text, '{"name":"Eve"}');
  // A client that comes later is told both.
  const bob = await YwsClient.connect(t, port, doc);
  bob.step1();
  const all = await bob.next('awareness');
  assert.deepEqual(all.states.map(({ text }) => text).sort(), ['{"name":"Ada"}', '{"name":"Eve"}']);
  assert.equal(all.states.find(({ text }) => text?.includes('Eve'))?.yjsClient, states[0]?.yjsClient);
  const late = await file.connect(t);
  assert.deepEqual((await late.open(doc)).presence, {
    [String(id)]: { name: 'Ada' },
    [String(eve.id)]: { name: 'Eve' },
  });
  eve.send({ type: 'presence', doc, data: null });
  await ada.state(states[0]?.yjsClient ?? 0, null);
  ada.socket.terminate();
  await bob.state(77, null);
  const gone = await late.next('presence', (m) => (m.states as Record<string, unknown>)[String(id)] === null);
  assert.ok(gone);
});

test('AWARE-2 states that a client repeats of others are not taken for its own', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const [ada, bob] = [await YwsClient.synced(t, port, doc), await YwsClient.synced(t, port, doc)];
  ada.aware({ yjsClient: 1, clock: 1, text: '{"at":1}' });
  await bob.state(1, '{"at":1}');
  // A provider whose own state is null repeats what it was told.
  bob.aware({ yjsClient: 1, clock: 1, text: '{"at":1}' });
  bob.aware({ yjsClient: 2, clock: 1, text: '{"at":2}' });
  await ada.state(2, '{"at":2}');
  bob.aware({ yjsClient: 1, clock: 9, text: '{"at":"forged"}' });
  bob.aware({ yjsClient: 2, clock: 2, text: '{"at":3}' }, { yjsClient: 1, clock: 9, text: null });
  await ada.state(2, '{"at":3}');
  bob.socket.terminate();
  await ada.state(2, null);
  assert.equal(
    ada.received.some((m) => m.type === 'awareness' && m.states.some(({ text }) => text?.includes('forged'))),
    false,
  );
});

test('AWARE-2 of two numbers that nobody has told the first is taken for the own, before and after the document is open', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const [ada, bob] = [await YwsClient.synced(t, port, doc), await YwsClient.connect(t, port, doc)];
  const [gone, first, second] = [
    { yjsClient: 10, clock: 1, text: null },
    { yjsClient: 11, clock: 1, text: '{"at":"first"}' },
    { yjsClient: 12, clock: 1, text: '{"at":"second"}' },
  ];
  const raised = [first, second].map((state) => ({ ...state, clock: 2 }));
  ada.aware(gone, first, second);
  await ada.state(11, first.text);
  ada.socket.terminate();
  const eve = await YwsClient.synced(t, port, doc);
  bob.aware(second, first);
  bob.step1();
  bob.aware(...raised);
  await eve.state(12, second.text);
  assert.equal(
    ada.received.some((m) => m.type === 'awareness' && m.states.some(({ yjsClient }) => yjsClient === 12)),
    false,
  );
});

test('AWARE-5 a client that comes back with a state of before is told that it is gone', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const ada = await YwsClient.connect(t, port, doc);
  ada.step1();
  ada.aware({ yjsClient: 5, clock: 4, text: '{"at":1}' });
  await ada.state(5, null);
});

test('AWARE-4 of states that come too fast the newest is told', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const [ada, bob] = [await YwsClient.synced(t, port, doc), await YwsClient.synced(t, port, doc)];
  for (let clock = 1; clock <= 200; clock++) ada.aware({ yjsClient: 5, clock, text: `{"at":${clock}}` });
  await bob.state(5, '{"at":200}');
});

test('YWS-10 a client to which nothing happens is told something', async (t) => {
  const { port } = file.node;
  const ada = await YwsClient.synced(t, port, file.newDoc());
  await ada.next('awareness', ({ states }) => states.length === 0);
});

test('YWS-8 a client that sends too many frames is closed with a code after which it comes back', async (t) => {
  const { port } = file.node;
  const ada = await YwsClient.synced(t, port, file.newDoc());
  for (let i = 0; i < 10_000 && ada.closed === undefined; i++) ada.queryAwareness();
  assert.equal((await ada.untilClosed()).code, 1013);
});
