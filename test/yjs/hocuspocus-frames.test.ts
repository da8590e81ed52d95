// The endpoint for Hocuspocus, frame by frame: addresses, sessions and several documents on one socket, and frames that no
// provider sends.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createDecoder, readVarString, readVarUint } from 'lib0/decoding';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { queryAwarenessBody, step1Body, step2Body, updateBody } from '../../src/yjs/wire/body.ts';
import {
  addressPart,
  authenticatedBody,
  pongBody,
  statelessBody,
  syncStatusBody,
  tokenRequestBody,
} from '../../src/yjs/wire/hocuspocus.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { untilSeen } from '../support/until.ts';

const file = new FileNode({ limits: { openDocuments: 3 } });

/** A provider's auth message without a token. */
const AUTH = Uint8Array.of(2, 0, 0);
const EMPTY_VECTOR = Uint8Array.of(0);

interface Told {
  readonly address: string;
  readonly type: number;
  readonly body: Uint8Array;
}

class Raw {
  readonly received: Told[] = [];
  readonly pongs: Uint8Array[] = [];
  readonly socket: WebSocket;
  closed: number | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      this.closed = code;
    });
    socket.on('message', (data: Buffer) => {
      const bytes = Uint8Array.from(data);
      if (bytes.length === 1) {
        this.pongs.push(bytes);
        return;
      }
      const decoder = createDecoder(bytes);
      const address = readVarString(decoder);
      const body = bytes.subarray(decoder.pos);
      this.received.push({ address, type: readVarUint(decoder), body });
    });
  }

  static async connect(t: TestContext): Promise<Raw> {
    const socket = new WebSocket(`ws://127.0.0.1:${file.node.port}/hocuspocus`, { perMessageDeflate: false });
    const raw = new Raw(socket);
    t.after(() => socket.terminate());
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return raw;
  }

  send(address: string, body: Uint8Array): void {
    this.socket.send(Buffer.concat([addressPart(address), body]));
  }

  async open(address: string): Promise<void> {
    this.send(address, AUTH);
    this.send(address, step1Body(EMPTY_VECTOR));
    await this.next(address, 0);
  }

  next(address: string, type: number, isIt: (told: Told) => boolean = () => true): Promise<Told> {
    return untilSeen(
      () => `type ${type} for ${address}; closed ${this.closed}, came ${JSON.stringify(this.received)}`,
      () => {
        const at = this.received.findIndex((m) => m.address === address && m.type === type && isIt(m));
        return at < 0 ? undefined : this.received.splice(at, 1)[0];
      },
    );
  }

  statuses(address: string): number {
    return this.received.filter((m) => m.address === address && m.type === 8).length;
  }
}

const isUpdate = ({ body }: Told): boolean => body[0] === 0 && body[1] === 2;

const updateOf = (text: string): Uint8Array => {
  const doc = new Y.Doc();
  doc.getText('t').insert(0, text);
  return Y.encodeStateAsUpdate(doc);
};

test('HOC-1 one socket carries several documents, and two sessions of one document', async (t) => {
  const [one, two] = [file.newDoc(), file.newDoc()];
  const sessions = [`${one}\0first`, `${one}\0second`];
  const raw = await Raw.connect(t);
  for (const address of [...sessions, two]) await raw.open(address);
  const update = updateOf('abc');
  raw.send(sessions[0] ?? '', updateBody(update));
  for (const address of sessions) {
    const told = await raw.next(address, 0, isUpdate);
    assert.deepEqual(told.body, updateBody(update));
  }
  await raw.next(sessions[0] ?? '', 8);
  assert.equal(raw.statuses(sessions[1] ?? ''), 0);
  assert.equal(
    raw.received.some((m) => m.address === two && isUpdate(m)),
    false,
  );
  // A session is no client of the other: its end leaves the other open.
  raw.send(sessions[1] ?? '', Uint8Array.of(7));
  raw.send(sessions[0] ?? '', updateBody(updateOf('def')));
  await raw.next(sessions[0] ?? '', 8);
  assert.equal(raw.received.filter(({ address }) => address === sessions[1]).some(isUpdate), false);
  // The fourth document is above the limit. The others go on.
  const most = file.newDoc();
  await raw.open(sessions[1] ?? '');
  raw.send(most, AUTH);
  const denied = await raw.next(most, 2);
  assert.equal(denied.body[1], 1);
  raw.send(two, updateBody(updateOf('x')));
  await raw.next(two, 8);
});

test('HOC-3 a client that waits for the answer to its token gets what it lacks, and is asked for what it has', async (t) => {
  const name = file.newDoc();
  const writer = await Raw.connect(t);
  await writer.open(name);
  const doc = new Y.Doc();
  doc.getText('t').insert(0, 'abcdef');
  const vector = Y.encodeStateVector(doc);
  writer.send(name, updateBody(Y.encodeStateAsUpdate(doc)));
  await writer.next(name, 8);
  doc.getText('t').insert(3, '!');
  writer.send(name, updateBody(Y.encodeStateAsUpdate(doc, vector)));
  await writer.next(name, 8);
  const raw = await Raw.connect(t);
  raw.send(name, AUTH);
  assert.deepEqual((await raw.next(name, 2)).body, authenticatedBody(false));
  raw.send(name, step1Body(vector));
  const [step2, step1] = [await raw.next(name, 0), await raw.next(name, 0)];
  assert.deepEqual(step2.body, step2Body(Y.encodeStateAsUpdate(doc, vector)));
  assert.deepEqual(step1.body, step1Body(Y.encodeStateVector(doc)));
});

test('HOC-4 each step 2 and update gets exactly one sync status, in any number at once', async (t) => {
  const doc = file.newDoc();
  const raw = await Raw.connect(t);
  await raw.open(doc);
  const updates = Array.from({ length: 200 }, (_, at) => updateOf(`${at}`));
  for (const update of updates) raw.send(doc, updateBody(update));
  // All of it again, as a step 2, and one that has nothing.
  raw.send(doc, step2Body(Y.mergeUpdates(updates)));
  raw.send(doc, step2Body(Uint8Array.of(0, 0)));
  await untilSeen('202 sync statuses', () => raw.statuses(doc) >= 202);
  assert.ok(raw.received.filter(({ type }) => type === 8).every(({ body }) => body[1] === 1));
  raw.send(doc, queryAwarenessBody());
  await raw.next(doc, 1);
  assert.equal(raw.statuses(doc), 202);
});

test('HOC-4 an update that was made before the step 1 and comes behind it gets no sync status, because the step 2 has it', async (t) => {
  const docName = file.newDoc();
  const doc = new Y.Doc();
  doc.getText('t').insert(0, 'kept while the connection was lost');
  const kept = Y.encodeStateAsUpdate(doc);
  const vector = Y.encodeStateVector(doc);
  doc.getText('t').insert(0, 'made after the step 1; ');
  const later = Y.encodeStateAsUpdate(doc, vector);
  const raw = await Raw.connect(t);
  raw.send(docName, AUTH);
  raw.send(docName, step1Body(vector));
  raw.send(docName, updateBody(kept));
  raw.send(docName, updateBody(later));
  await untilSeen('the sync status of the later update', () => raw.statuses(docName) === 1);
  raw.send(docName, step2Body(Y.encodeStateAsUpdate(doc)));
  await untilSeen('the sync status of the step 2', () => raw.statuses(docName) === 2);
  raw.send(docName, queryAwarenessBody());
  await raw.next(docName, 1);
  assert.equal(raw.statuses(docName), 2);
  // Another step 1 sets the count anew. The updates behind its step 2 are counted.
  raw.send(docName, step1Body(Y.encodeStateVector(doc)));
  raw.send(docName, step2Body(Uint8Array.of(0, 0)));
  raw.send(docName, updateBody(later));
  await untilSeen('two more sync statuses', () => raw.statuses(docName) === 4);
});

/** A document with a text, and deletions from it. */
function deletions() {
  const doc = new Y.Doc();
  doc.getText('t').insert(0, 'there');
  const state = Y.encodeStateAsUpdate(doc);
  const vector = Y.encodeStateVector(doc);
  const next = (): Uint8Array => {
    doc.getText('t').delete(0, 1);
    return Y.encodeStateAsUpdate(doc, vector);
  };
  return { state, vector, next };
}

async function expectStatuses(raw: Raw, name: string, count: number): Promise<void> {
  await untilSeen(`${count} sync statuses`, () => raw.statuses(name) >= count);
  raw.send(name, queryAwarenessBody());
  await raw.next(name, 1);
  assert.equal(raw.statuses(name), count);
}

test('HOC-4 a deletion between the first answer to the socket and the step 2 makes the client come back, and nothing says that it is saved before', async (t) => {
  const { state, vector, next } = deletions();
  const [one, other] = [file.newDoc(), file.newDoc()];
  const raw = await Raw.connect(t);
  for (const name of [one, other]) {
    raw.send(name, AUTH);
    raw.send(name, step1Body(vector));
    // It comes before any answer, so the provider has not kept it.
    raw.send(name, updateBody(next()));
  }
  for (const name of [one, other]) await expectStatuses(raw, name, 1);
  raw.send(one, step2Body(state));
  await expectStatuses(raw, one, 2);
  raw.send(one, updateBody(next()));
  await expectStatuses(raw, one, 3);
  raw.send(other, updateBody(next()));
  raw.send(other, step2Body(state));
  await untilSeen('the close', () => raw.closed !== undefined);
  assert.deepEqual([raw.closed, raw.statuses(one), raw.statuses(other)], [1012, 3, 1]);
});

test('HOC-4 a provider that comes later to a socket that is open has kept nothing, and its deletions count', async (t) => {
  const { state, vector, next } = deletions();
  const [one, late] = [file.newDoc(), file.newDoc()];
  const raw = await Raw.connect(t);
  await raw.open(one);
  raw.send(late, AUTH);
  raw.send(late, step1Body(vector));
  raw.send(late, updateBody(state));
  raw.send(late, updateBody(next()));
  await expectStatuses(raw, late, 1);
});

test('HOC-4 a client that sends no step 2 gets the sync status of its deletion 5 s later', async (t) => {
  const { state, vector, next } = deletions();
  const doc = file.newDoc();
  const raw = await Raw.connect(t);
  raw.send(doc, AUTH);
  raw.send(doc, step1Body(vector));
  await raw.next(doc, 0);
  raw.send(doc, updateBody(state));
  raw.send(doc, updateBody(next()));
  await expectStatuses(raw, doc, 0);
  await expectStatuses(raw, doc, 1);
  assert.equal(raw.closed, undefined);
});

test('HOC-2 messages before the token are left out, and those behind it wait for the document', async (t) => {
  const doc = file.newDoc();
  const raw = await Raw.connect(t);
  raw.send(doc, updateBody(updateOf('early')));
  raw.send(doc, queryAwarenessBody());
  raw.send(doc, AUTH);
  raw.send(doc, updateBody(updateOf('behind')));
  raw.send(doc, step1Body(EMPTY_VECTOR));
  await raw.next(doc, 8);
  assert.equal(raw.statuses(doc), 0);
  const reader = await Raw.connect(t);
  await reader.open(doc);
  // A document without a token begins with its step 1.
  const other = await Raw.connect(t);
  other.send(doc, step1Body(EMPTY_VECTOR));
  const told = await other.next(doc, 0);
  const copy = new Y.Doc();
  Y.applyUpdate(copy, told.body.subarray(3));
  assert.equal(copy.getText('t').toString(), 'behind');
});

test('HOC-5 HOC-8 a ping is answered, a stateless message is not echoed, and a closed document gets nothing', async (t) => {
  const doc = file.newDoc();
  const [ada, bob] = [await Raw.connect(t), await Raw.connect(t)];
  await ada.open(doc);
  await bob.open(doc);
  ada.socket.send(Uint8Array.of(9));
  await untilSeen('the pong', () => ada.pongs.length > 0);
  assert.deepEqual(ada.pongs, [pongBody()]);
  ada.send(doc, statelessBody('hi'));
  assert.deepEqual((await bob.next(doc, 5)).body, statelessBody('hi'));
  bob.send(doc, Uint8Array.of(7));
  bob.socket.send(Uint8Array.of(9));
  await untilSeen('the pong', () => bob.pongs.length > 0);
  ada.send(doc, updateBody(updateOf('x')));
  assert.deepEqual((await ada.next(doc, 8)).body, syncStatusBody(true));
  assert.equal(
    ada.received.some(({ type }) => type === 5),
    false,
  );
  assert.equal(bob.received.some(isUpdate), false);
  await bob.open(doc);
});

test('HOC-8 a frame that is not of the protocol closes its socket with 4400, and the others go on', async (t) => {
  const doc = file.newDoc();
  const bob = await Raw.connect(t);
  await bob.open(doc);
  const part = addressPart(doc);
  for (const frame of [
    Buffer.of(),
    Buffer.of(200),
    Buffer.concat([part, Buffer.of(4, 0)]),
    Buffer.concat([part, Buffer.of(0, 9)]),
    Buffer.concat([part, Buffer.of(0, 2, 200)]),
    Buffer.concat([part, Buffer.of(5, 3, 0xff)]),
    Buffer.concat([part, statelessBody('x'.repeat(5_000))]),
    Buffer.concat([part, tokenRequestBody()]),
    Buffer.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 255),
    'text',
  ]) {
    const ada = await Raw.connect(t);
    await ada.open(doc);
    ada.socket.send(frame);
    assert.equal(await untilSeen('the close', () => ada.closed), 4400, String(frame));
  }
  bob.send(doc, updateBody(updateOf('on')));
  await bob.next(doc, 8);
});

test('HOC-6 an update that is no update ends its document alone', async (t) => {
  const [doc, other] = [file.newDoc(), file.newDoc()];
  const ada = await Raw.connect(t);
  await ada.open(doc);
  await ada.open(other);
  ada.send(doc, updateBody(Uint8Array.of(1, 2, 3)));
  assert.deepEqual((await ada.next(doc, 8)).body, syncStatusBody(false));
  assert.equal((await ada.next(doc, 2, ({ body }) => body[1] === 1)).type, 2);
  ada.send(other, updateBody(updateOf('on')));
  await ada.next(other, 8);
});

test('HOC-9 a client to which nothing happens is told something', async (t) => {
  const doc = file.newDoc();
  const ada = await Raw.connect(t);
  await ada.open(doc);
  const before = ada.received.length;
  await untilSeen('a message', () => ada.received.length > before);
});
