// A client of Hocuspocus that waits for the answer to its token before it goes on, at a gateway whose users, roles and owners
// the test controls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACK, OPENED } from '../../actors/link/link-messages.ts';
import { shardOf } from '../../actors/shard.ts';
import type { Role } from '../../protocol/messages.ts';
import type { Identity } from '../../src/identity/identity.ts';
import { EVERYONE, type RoleAnswer, type User } from '../../src/identity/user.ts';
import { HocuspocusEndpoint } from '../../src/yjs/hocuspocus.ts';
import { step1Body, step2Body, updateBody } from '../../src/yjs/wire/body.ts';
import { addressPart, authenticatedBody, permissionDeniedBody } from '../../src/yjs/wire/hocuspocus.ts';
import { LIMITS, Owner, startGateway } from '../gateway/fake-owners.ts';
import { until } from '../support/until.ts';

const DOC = 'acme/plan';
const AUTH = Uint8Array.of(2, 0, 0);
const READ_WRITE = authenticatedBody(false);
const READ_ONLY = authenticatedBody(true);
const VECTOR = Uint8Array.of(1, 7, 3);
/** In auth messages of the server. */
const [AUTH_TYPE, PERMISSION_DENIED] = permissionDeniedBody('');

function start(roleIn: User['roleIn']) {
  const limits = { ...LIMITS, openDocuments: 1 };
  const identity: Identity = {
    identify: async () => ({ ...EVERYONE, roleIn }),
    renew: async (user) => user,
  };
  const { gateway, place, newSession, after, now, tick } = startGateway({ identity, limits });
  const owner = new Owner();
  place([shardOf(DOC)], owner);
  const endpoint = new HocuspocusEndpoint({
    gateway,
    limits,
    updateBytes: limits.opBytes,
    after,
    now,
    random: () => 0.5,
  });
  const { session, written, closeCode } = newSession(undefined);
  endpoint.attach(session, '/hocuspocus', undefined);
  const part = addressPart(DOC);
  const told = (): Uint8Array[] => {
    const all = Buffer.concat(written);
    const bodies: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += 2 + (all[at + 1] ?? 0))
      bodies.push(Uint8Array.from(all.subarray(at + 2 + part.length, at + 2 + (all[at + 1] ?? 0))));
    return bodies;
  };
  /** Lets time pass until it is so. A client is not answered before its step 1 would have come. */
  const soon = (isSo: () => boolean): Promise<void> =>
    until(() => {
      tick(1);
      return isSo();
    });
  return {
    owner,
    soon,
    tick,
    closeCode,
    /** The owner tells that these submits are durable. */
    committed: (...seqs: number[]): void => {
      const at = owner.opens.at(-1);
      assert.ok(at, 'an open');
      for (const seq of seqs) gateway.messages(owner, [[ACK, at.channelId, at.subscriptionId, seq, seq]]);
    },
    send: (body: Uint8Array): void => gateway.receive(session, Buffer.concat([part, body]), false),
    /** The owner shows the document, which is empty. */
    show: (): void => {
      const at = owner.opens.at(-1);
      assert.ok(at, 'an open');
      const state = { vector: Uint8Array.of(0), states: [] };
      gateway.messages(owner, [
        [OPENED, at.channelId, at.subscriptionId, [], 0, 'h1', [], true, 0, null, state],
      ]);
    },
    /** The bodies of all messages so far, which are small. */
    told,
  };
}

for (const [role, expected] of [
  ['editor', READ_WRITE],
  ['viewer', READ_ONLY],
] as const)
  test(`HOC-3 the auth message of ${role === 'editor' ? 'an editor' : 'a viewer'} is answered before any step 1, once`, async () => {
    const { owner, send, soon, show, told } = start(() => role);
    send(AUTH);
    await soon(() => told().length > 0);
    assert.deepEqual(told(), [expected]);
    assert.deepEqual(owner.heard, []);
    send(step1Body(VECTOR));
    assert.deepEqual(owner.opens[0]?.request.vector, VECTOR);
    show();
    assert.equal(told().filter(([type]) => type === AUTH_TYPE).length, 1);
    // The step 2, and the step 1 of the server.
    assert.deepEqual(
      told()
        .slice(1)
        .map(([type, step]) => [type, step]),
      [
        [0, 1],
        [0, 0],
      ],
    );
  });

test('HOC-6 the auth message of a user without a right is refused before any step 1', async () => {
  const { owner, send, soon, told } = start(() => undefined);
  send(AUTH);
  await soon(() => told().length > 0);
  assert.deepEqual(
    told().map(([type, kind]) => [type, kind]),
    [[AUTH_TYPE, PERMISSION_DENIED]],
  );
  assert.deepEqual(owner.heard, []);
});

test('HOC-3 a role that has changed by the step 1 is told with the document', async () => {
  let role: Role = 'editor';
  const { send, soon, show, told } = start(() => role);
  send(AUTH);
  await soon(() => told().length > 0);
  role = 'viewer';
  send(step1Body(VECTOR));
  show();
  assert.deepEqual(told().slice(0, 2), [READ_WRITE, READ_ONLY]);
});

test('HOC-3 a step 1 that comes while a service decides about the role opens the document', async () => {
  const answers: ((answer: RoleAnswer) => void)[] = [];
  const { owner, send, soon, told } = start(() => new Promise((answer) => void answers.push(answer)));
  send(AUTH);
  await soon(() => answers.length === 1);
  assert.deepEqual(told(), []);
  send(step1Body(VECTOR));
  for (const answer of answers) answer({ role: 'editor', until: 1_000 });
  await until(() => owner.opens.length === 1);
  assert.deepEqual(told(), [READ_WRITE]);
});

test('HOC-3 a provider that sends its step 1 with its token is told the scope with the document, once', async () => {
  const { owner, send, show, told } = start(() => 'editor');
  send(AUTH);
  send(step1Body(VECTOR));
  await until(() => owner.opens.length === 1);
  assert.deepEqual(told(), []);
  show();
  assert.deepEqual(told()[0], READ_WRITE);
  assert.equal(told().filter(([type]) => type === AUTH_TYPE).length, 1);
});

test('HOC-4 a client whose count is not known comes back when it has paused, or after 30 s', async () => {
  /** Deletes the first of the three letters that the state vector has. */
  const deletion = updateBody(Uint8Array.of(0, 1, 7, 1, 0, 1));
  for (const pausesAfterMs of [3_000, 40_000]) {
    const { owner, send, soon, show, tick, committed, closeCode } = start(() => 'editor');
    send(AUTH);
    send(step1Body(VECTOR));
    await soon(() => owner.opens.length === 1);
    show();
    send(deletion);
    send(step2Body(Uint8Array.of(0, 1, 7, 1, 0, 1)));
    committed(1, 2);
    let openMs = 0;
    for (; openMs < pausesAfterMs && closeCode() === undefined; openMs += 500) {
      send(deletion);
      tick(500);
    }
    if (pausesAfterMs === 3_000) assert.equal(closeCode(), undefined);
    tick(2_000);
    assert.equal(closeCode(), 1012);
    assert.ok(openMs === pausesAfterMs || (openMs > 29_000 && openMs < 33_000), `${openMs}`);
  }
});
