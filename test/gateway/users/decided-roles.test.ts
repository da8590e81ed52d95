// Roles that a service decides, at a gateway whose owners, service and time the test controls: opens that wait, the order
// of frames behind them, and changes that reach open documents.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACK, CLOSE, OPEN, refusalOf, SUBMIT, type ToGateway } from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import type { Role } from '../../../protocol/messages.ts';
import type { Identity } from '../../../src/identity/identity.ts';
import { EVERYONE, type RoleAnswer } from '../../../src/identity/user.ts';
import { until } from '../../support/until.ts';
import { Owner, opened, startGateway } from '../fake-owners.ts';

const [DOC, OTHER] = ['acme/plan', 'acme/notes'];
const GRACE_MS = 5_000;

function startWithService() {
  const waiting: { doc: string; answer: (answer: RoleAnswer) => void }[] = [];
  const identity: Identity = {
    identify: async (sub = '') => ({
      ...EVERYONE,
      sub: sub.replace(/@.*/, ''),
      roleIn: (doc) => new Promise<RoleAnswer>((answer) => void waiting.push({ doc, answer })),
    }),
    renew: async (user) => user,
  };
  const started = startGateway({ identity, graceMs: 0, roleGraceMs: GRACE_MS });
  const owner = new Owner();
  started.place([shardOf(DOC), shardOf(OTHER)], owner);
  type Client = ReturnType<typeof started.connect>;
  let clients = 0;
  const connect = async (sub = 'ada'): Promise<Client> => {
    const client = started.connect(`client-${++clients}`, sub);
    await until(() => client.answers('welcome').length === 1);
    return client;
  };
  const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
  /** The service answers its oldest question. */
  const answer = async (role: Role | 'none' | 'unavailable', untilMs = 60_000): Promise<void> => {
    const next = waiting.shift();
    assert.ok(next, 'a question');
    next.answer(role === 'unavailable' ? role : { role: role === 'none' ? undefined : role, until: untilMs });
    await turn();
  };
  /** A client that has the document open with this role, until this time. */
  const withRole = async (role: Role, untilMs?: number): Promise<Client> => {
    const client = await connect();
    client.send({ type: 'open', doc: DOC });
    await answer(role, untilMs);
    started.gateway.messages(owner, [opened(owner.opens.at(-1))]);
    return client;
  };
  return { ...started, owner, connect, answer, withRole, waiting, turn };
}

test('AUTH-8 an open waits for the service, and everything behind it keeps its order', async () => {
  const { connect, answer, owner, gateway, tick } = startWithService();
  const client = await connect();
  client.send({ type: 'open', doc: DOC, id: 'o' });
  client.submit(DOC, 1);
  client.submit(DOC, 2);
  client.send({ type: 'close', doc: DOC, id: 'c' });
  client.send({ type: 'ping', id: 'p' });
  assert.deepEqual([owner.heard.length, client.answers('pong').length], [0, 1], 'other messages go on');
  await answer('editor');
  const [at] = owner.opens;
  const acks = [1, 2].map((seq): ToGateway => [ACK, owner.channelId, at?.subscriptionId ?? 0, seq, seq]);
  gateway.messages(owner, [opened(at), ...acks]);
  tick(0);
  assert.deepEqual(
    owner.heard.map(([type]) => type),
    [OPEN, SUBMIT, SUBMIT, CLOSE],
  );
  assert.equal(owner.opens[0]?.request.role, 'editor');
  assert.deepEqual(owner.submits, [1, 2]);
});

test('AUTH-8 a slow answer about one document holds up no other', async () => {
  const { connect, waiting, owner, turn } = startWithService();
  const client = await connect();
  for (const doc of [DOC, OTHER]) {
    client.send({ type: 'open', doc });
    client.submit(doc, 1);
  }
  waiting.pop()?.answer({ role: 'viewer', until: 60_000 });
  await turn();
  assert.deepEqual(
    owner.opens.map(({ request }) => [request.doc, request.role]),
    [[OTHER, 'viewer']],
  );
  const submit = owner.heard.at(-1);
  assert.ok(submit?.[0] === SUBMIT && refusalOf(submit[5])?.code === 'forbidden');
});

test('AUTH-5 without a right by the service the document is answered like a missing one', async () => {
  const { connect, answer, owner } = startWithService();
  const client = await connect();
  client.send({ type: 'open', doc: DOC, id: 1, kind: 'json' });
  await answer('none');
  const [error] = client.answers('error');
  assert.deepEqual([error?.code, error?.id, error?.doc], ['not-found', 1, DOC]);
  assert.deepEqual(owner.heard, []);
});

test('AUTH-9 while the service is silent a new open is unavailable, and may come again', async () => {
  const { connect, answer, owner } = startWithService();
  const client = await connect();
  client.send({ type: 'open', doc: DOC, id: 1 });
  client.submit(DOC, 1);
  await answer('unavailable');
  const [error, behind] = client.answers('error');
  assert.deepEqual([error?.code, error?.retryable, error?.id], ['unavailable', true, 1]);
  assert.equal(behind?.code, 'not-open');
  client.send({ type: 'open', doc: DOC, id: 2 });
  await answer('editor');
  assert.equal(owner.opens.length, 1);
});

test('AUTH-9 an open document keeps its role while the service is silent, for the grace', async () => {
  const { withRole, answer, tick, turn, owner, waiting } = startWithService();
  const client = await withRole('editor', 1_000);
  for (let s = 1; s <= 5; s++) {
    tick(1_000);
    await turn();
    assert.equal(client.closeCode(), undefined, `${s} s`);
    await answer('unavailable');
    client.submit(DOC, s);
  }
  assert.deepEqual(owner.submits, [1, 2, 3, 4, 5]);
  tick(1_000);
  await answer('unavailable');
  assert.equal(client.closeCode(), 1013);
  assert.deepEqual(client.answers('closed'), [], 'it is not told that it may not');
  assert.deepEqual(waiting, []);
});

test('AUTH-10 at the end of the cache an open document gets its new role, or is closed', async () => {
  for (const [role, types] of [
    ['editor', []],
    ['viewer', ['role viewer']],
    ['none', ['closed forbidden']],
  ] as const) {
    const { withRole, answer, tick, waiting } = startWithService();
    const client = await withRole('editor', 2_000);
    tick(1_000);
    assert.deepEqual(waiting, []);
    tick(1_000);
    await answer(role);
    const told = [
      ...client.answers('role').map((message) => `role ${String(message.role)}`),
      ...client.answers('closed').map(({ code }) => `closed ${code}`),
    ];
    assert.deepEqual(told, types);
  }
});

test('AUTH-10 a recheck asks at once about the documents that it means', async () => {
  const { withRole, answer, gateway, waiting } = startWithService();
  const client = await withRole('editor');
  for (const [org, doc, sub] of [
    ['other', undefined, undefined],
    ['acme', 'notes', undefined],
    ['acme', undefined, 'bob'],
  ] as const)
    gateway.rightsChanged({ kind: 'recheck', org, doc, sub });
  assert.deepEqual(waiting, []);
  gateway.rightsChanged({ kind: 'recheck', org: 'acme', doc: 'plan', sub: 'ada' });
  await answer('viewer');
  assert.deepEqual(
    client.answers('role').map(({ role }) => role),
    ['viewer'],
  );
  gateway.rightsChanged({ kind: 'recheck', org: 'acme', doc: undefined, sub: undefined });
  await answer('none');
  assert.equal(client.answers('closed')[0]?.code, 'forbidden');
});

test('AUTH-8 a client that sends too much behind an open is closed, and harms nobody', async () => {
  const { connect, answer, owner } = startWithService();
  const [client, other] = [await connect(), await connect('bob')];
  for (const each of [client, other]) each.send({ type: 'open', doc: DOC });
  for (let i = 0; i < 5; i++) client.send({ type: 'presence', doc: DOC, data: 'x'.repeat(500_000) });
  assert.equal(client.closeCode(), 1013);
  await answer('editor');
  await answer('editor');
  assert.equal(owner.opens.length, 1);
  other.submit(DOC, 1);
  assert.deepEqual(owner.submits, [1]);
});

test('AUTH-8 documents whose role is asked for count as open', async () => {
  const { connect, waiting } = startWithService();
  const client = await connect();
  for (let i = 0; i < 101; i++) client.send({ type: 'open', doc: `acme/d${i}`, id: i });
  assert.equal(waiting.length, 100);
  assert.deepEqual(
    client.answers('error').map(({ code, id }) => [code, id]),
    [['overloaded', 100]],
  );
});

test('AUTH-8 a socket that is closed meanwhile opens nothing', async () => {
  const { connect, answer, gateway, owner } = startWithService();
  const client = await connect();
  client.send({ type: 'open', doc: DOC });
  gateway.disconnected(client.session);
  await answer('editor');
  assert.deepEqual(owner.heard, []);
});
