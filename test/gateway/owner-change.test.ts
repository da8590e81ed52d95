// A gateway whose owners come and go, with the owners' ends of the links in the test's hands.
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import {
  CLOSE,
  COMMIT,
  OPEN,
  OPEN_FAILED,
  OPENED,
  RESET,
  STATES,
  SUBMIT,
  type ToGateway,
  type ToOwner,
} from '../../actors/link-messages.ts';
import { SHARDS } from '../../actors/shard.ts';
import type { OwnerLink } from '../../cluster/owner-link.ts';
import { Router } from '../../cluster/router.ts';
import { jsonCodec } from '../../protocol/codec.ts';
import { ClientSocket } from '../../src/gateway/client-socket.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { Session } from '../../src/gateway/session.ts';

const MiB = 1024 * 1024;
const DOC = 'acme/plan';
const HISTORY = 'h1';
const LIMITS = {
  frameBytes: MiB,
  opBytes: MiB,
  receiveBytes: MiB,
  documentBytes: MiB,
  openDocuments: 100,
  submitsPerSecond: 1000,
  presencesPerSecond: 1000,
  presenceBytes: 4096,
  inflight: 64,
  depth: 100,
  historyMs: 1000,
  historyOps: 1000,
  clientMemoryMs: 1000,
  pingMs: 20_000,
  idleMs: 60_000,
};

class Owner implements OwnerLink {
  readonly heard: ToOwner[] = [];
  offer(message: ToOwner): boolean {
    this.heard.push(message);
    return true;
  }
  send(message: ToOwner): void {
    this.heard.push(message);
  }
  get opens() {
    return this.heard.flatMap((m) => (m[0] === OPEN ? [{ chan: m[1], sub: m[2], request: m[3] }] : []));
  }
}

function startGateway() {
  const router = new Router(new Int32Array(SHARDS));
  const gateway = new Gateway({
    node: 'test',
    limits: LIMITS,
    router,
    unansweredBytes: MiB,
    now: () => 0,
    newClientId: () => 'client-new',
    random: () => 0.5,
  });
  const connect = (client: string) => {
    const written: Buffer[] = [];
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        written.push(chunk);
        done();
      },
    });
    // A server's end, as ws makes it; the types do not tell of its options.
    const socket: ClientSocket = Reflect.construct(ClientSocket, [null, undefined, {}]);
    const session = new Session(socket, stream, jsonCodec, MiB, 0, {
      opens: 100,
      submits: 1000,
      presences: 1000,
    });
    const send = (message: object): void => {
      const text = JSON.stringify(message);
      gateway.receive(session, Buffer.from(text), text);
    };
    send({ type: 'hello', client });
    return { session, send, text: () => Buffer.concat(written).toString('latin1') };
  };
  const own = (): Owner => {
    const owner = new Owner();
    router.setLink(0, owner);
    gateway.changed();
    return owner;
  };
  const lose = (owner: Owner): void => {
    router.setLink(0, undefined);
    gateway.lost(owner);
  };
  return { gateway, connect, own, lose };
}

const opened = (at: { chan: number; sub: number } | undefined, version = 0): ToGateway => {
  assert.ok(at, 'an open');
  return [OPENED, at.chan, at.sub, [], version, HISTORY, [], true];
};

test('ORDER-1 a document that starts over is resumed once, also when an owner comes meanwhile', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { gateway, connect, own } = startGateway();
  const owner = own();
  connect('client-1').send({ type: 'open', doc: DOC });
  gateway.messages(owner, [opened(owner.opens[0])]);
  gateway.messages(owner, [[RESET, owner.opens[0]?.chan ?? 0]]);
  // Another worker of the node has come back.
  gateway.changed();
  gateway.messages(owner, [opened(owner.opens[1])]);
  gateway.messages(owner, [[COMMIT, owner.opens[1]?.chan ?? 0, 1, Buffer.from('one'), null, []]]);
  t.mock.timers.tick(10_000);
  assert.deepEqual(
    owner.opens.slice(2).map(({ request }) => ({ since: request.since, resume: request.resume })),
    [],
    'an open with a since that has been passed brings commits twice',
  );
});

test('PRES-4 who leaves while another of the document is told to wait is gone at the owner', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { gateway, connect, own, lose } = startGateway();
  const first = own();
  const [a, b] = [connect('client-1'), connect('client-2')];
  for (const each of [a, b]) each.send({ type: 'open', doc: DOC });
  gateway.messages(
    first,
    first.opens.map((at) => opened(at)),
  );
  lose(first);
  const second = own();
  const [ofA, ofB] = second.opens;
  assert.ok(ofA && ofB);
  gateway.messages(second, [
    [OPEN_FAILED, ofA.chan, ofA.sub, 'unavailable', 'the store is out of reach'],
    opened(ofB),
  ]);
  gateway.disconnected(b.session);
  t.mock.timers.tick(10_000);
  assert.ok(
    second.heard.some((m) => m[0] === CLOSE && m[1] === ofB.chan && m[2] === ofB.sub),
    'the owner has it open for ever',
  );
});

test('PRES-4 who leaves while the document has no owner is gone for the others', () => {
  const { gateway, connect, own, lose } = startGateway();
  const first = own();
  const [a, b] = [connect('client-1'), connect('client-2')];
  for (const each of [a, b]) each.send({ type: 'open', doc: DOC });
  gateway.messages(
    first,
    first.opens.map((at) => opened(at)),
  );
  a.send({ type: 'presence', doc: DOC, data: 'here' });
  gateway.messages(first, [[STATES, first.opens[0]?.chan ?? 0, ['client-1', '"here"']]]);
  assert.match(b.text(), /"client-1":"here"/);
  lose(first);
  gateway.disconnected(a.session);
  const second = own();
  gateway.messages(second, [opened(second.opens[0])]);
  assert.match(b.text(), /"client-1":null/);
});

test('SUBMIT-4 what is sent again meanwhile keeps its place when the owner changes', () => {
  const { gateway, connect, own, lose } = startGateway();
  const first = own();
  const a = connect('client-1');
  a.send({ type: 'open', doc: DOC });
  gateway.messages(first, [opened(first.opens[0])]);
  for (const seq of [5, 6, 5]) a.send({ type: 'submit', doc: DOC, seq, base: 0, op: [] });
  lose(first);
  const second = own();
  gateway.messages(second, [opened(second.opens[0])]);
  assert.deepEqual(
    second.heard.flatMap((m) => (m[0] === SUBMIT ? [m[3]] : [])),
    [5, 6],
  );
});
