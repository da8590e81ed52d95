// Revocations and logouts in a cluster: two real nodes with one Redis and one database.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { testCluster } from '../support/cluster.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { WireClient } from '../support/wire-client.ts';

const LIMIT = { timeout: 120_000 };

test(
  'REVOKE-3 LOGIN-7 tokens and sessions that one node ends are ended at the other, and for a node that starts later',
  LIMIT,
  async (t) => {
    const start = await testCluster(t, {
      auth: { mode: 'jwt', graceMs: 0, jwt: { secret: TOKEN_SECRET, toleranceMs: 0 } },
    });
    const [a, b] = [await start('a'), await start('b')];
    const call = async (path: string, headers: Record<string, string>, method = 'POST', body?: object) => {
      const response = await fetch(new URL(`v1/${path}`, a.url), {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      assert.ok(response.ok, `${path} ${response.status}`);
      return response;
    };
    const iat = Math.floor(Date.now() / 1000) - 5;
    const token = await tokenOf('ada', {}, { iat, jti: 'token-1' });
    const root = { authorization: `Bearer ${await tokenOf('root', {}, { admin: true })}` };

    const byToken = await WireClient.connect(t, b.socketUrl);
    byToken.send({ type: 'hello', client: 'client-1', token });
    await byToken.next('welcome');
    await call('revocations', root, 'POST', { jti: 'token-1' });
    assert.equal((await byToken.untilClosed()).code, 4401);

    const login = await call('session', { authorization: `Bearer ${await tokenOf('bob')}` });
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    const { csrf } = (await login.json()) as { csrf: string };
    const byCookie = new WebSocket(b.socketUrl, 'troupe.v1.json', {
      headers: { cookie, origin: new URL(b.url).origin },
    });
    t.after(() => byCookie.terminate());
    await new Promise((done) => byCookie.once('open', done));
    const welcomed = new Promise((done) => byCookie.once('message', done));
    byCookie.send(JSON.stringify({ type: 'hello', client: 'client-2' }));
    await welcomed;
    const closed = new Promise((done) => byCookie.once('close', done));
    await call('session', { cookie, 'x-csrf-token': csrf }, 'DELETE');
    assert.equal(await closed, 4401);

    await b.stop();
    const c = await start('c');
    const again = await WireClient.connect(t, c.socketUrl);
    again.send({ type: 'hello', client: 'client-3', token });
    assert.equal((await again.untilClosed()).code, 4401);
  },
);
