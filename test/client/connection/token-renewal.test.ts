// Tokens that end while the client is connected: a function is asked in time, and the documents stay open.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness, heard } from '../harness.ts';

const MINUTE = 60_000;

/** A server whose tokens last five minutes, and a client with a function that the test controls. */
function start(next: (asked: number) => string | undefined | Promise<string | undefined>) {
  const h = new Harness();
  h.server.expiresInMs = 5 * MINUTE;
  const reasons: string[] = [];
  const client = h.client({
    token: (reason) => {
      reasons.push(reason);
      return next(reasons.length);
    },
  });
  const tokens = () => h.sent('hello').map(({ token }) => token);
  return { h, client, reasons, tokens };
}

test('HELLO-8 the function is asked for a new token before the old one ends, again and again', async () => {
  const { h, client, reasons, tokens } = start((asked) => `token-${asked}`);
  const doc = client.open('acme/plan', 'json');
  await h.settleSlowly();
  await doc.ready;
  await h.settleSlowly(3.5 * MINUTE);
  assert.deepEqual(tokens(), ['token-1'], 'not long before');
  await h.settleSlowly(1.4 * MINUTE);
  assert.deepEqual(tokens(), ['token-1', 'token-2']);
  await h.settleSlowly(10 * MINUTE);
  assert.ok(tokens().length >= 4, String(tokens()));
  assert.deepEqual(new Set(reasons.slice(1)), new Set(['expired']));
  assert.equal(h.server.connects, 1);
  assert.equal(h.sent('open').length, 1, 'the document stays open');
});

test('HELLO-8 a function that fails, or has no new token yet, is asked again, more often towards the end', async () => {
  const { h, reasons, tokens } = start((asked) => {
    if (asked === 3) throw new Error('no network');
    if (asked === 4) return Promise.reject(new Error('no network'));
    return asked === 5 ? undefined : asked < 6 ? 'old' : 'new';
  });
  await h.settleSlowly(3.5 * MINUTE);
  for (let seconds = 0; seconds < 89; seconds++) await h.settleSlowly(1_000);
  assert.deepEqual(tokens(), ['old', 'new']);
  assert.equal(reasons.length, 6);
  assert.equal(h.server.connects, 1);
});

test('AUTH-6 told that its token has ended, the client asks at once and goes on with the new one', async () => {
  const { h, client, tokens } = start((asked) => `token-${asked}`);
  const errors = heard(client, 'error');
  await h.settleSlowly();
  const ended = {
    type: 'error',
    code: 'unauthenticated',
    message: 'the token has expired',
    retryable: true,
  } as const;
  h.server.send(h.socketOf(client), ended);
  await h.settleSlowly();
  assert.deepEqual(tokens(), ['token-1', 'token-2']);
  assert.equal(h.server.connects, 1);
  assert.deepEqual(errors, []);
});

test('AUTH-6 a client with a fixed token reports that the token has ended', async () => {
  const h = new Harness();
  h.server.expiresInMs = MINUTE;
  const client = h.client({ token: 'fixed' });
  const errors = heard(client, 'error');
  h.settle(2 * MINUTE);
  h.server.send(h.socketOf(client), {
    type: 'error',
    code: 'unauthenticated',
    message: 'm',
    retryable: true,
  });
  h.settle();
  assert.deepEqual(
    errors.map(({ code }) => code),
    ['unauthenticated'],
  );
  assert.equal(h.sent('hello').length, 1);
});

test('HELLO-8 a function that is set while connected is asked at once', async () => {
  const { h, client, tokens } = start(() => 'first');
  await h.settleSlowly();
  client.setToken(() => 'second');
  await h.settleSlowly();
  assert.deepEqual(tokens(), ['first', 'second']);
});

test('AUTH-6 a token that was on its way when the server closed with 4401 is shown at the next dial', async () => {
  const { h, client, tokens } = start((asked) => (asked === 1 ? 'old' : 'new'));
  await h.settleSlowly();
  const socket = h.socketOf(client);
  h.server.silent = true;
  h.server.send(socket, { type: 'error', code: 'unauthenticated', message: 'm', retryable: true });
  await h.settleSlowly();
  h.server.silent = false;
  h.server.dropAll(4401);
  await h.settleSlowly(10_000);
  assert.equal(client.state, 'live');
  assert.deepEqual(tokens(), ['old', 'new', 'new']);
});

test('HELLO-8 nothing is asked any more once the connection is gone', async () => {
  const { h, client, reasons } = start((asked) => `token-${asked}`);
  await h.settleSlowly();
  client.goOffline();
  await h.settleSlowly(20 * MINUTE);
  assert.deepEqual(reasons, ['connect']);
});
