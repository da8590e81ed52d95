// The samples of docs/examples/proxies, each run by the proxy itself before a real node: TLS, sockets, tokens in every
// place where a client may put one, origins, and a node that is away.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { freePort } from '../../loadtest/nodes/free-ports.ts';
import { packageDirectory } from '../../src/cli/version.ts';
import { type Certificates, makeCertificates } from '../support/certificates.ts';
import { startTestNode } from '../support/node.ts';
import { startCaddy } from '../support/programs/caddy.ts';
import { startNginx } from '../support/programs/nginx.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';

const NAME = 'docs.example.com';
const PROXIES = { 'nginx.conf': startNginx, Caddyfile: startCaddy };

for (const [sample, start] of Object.entries(PROXIES)) {
  test(`docs/examples/proxies/${sample}: sockets and requests with tokens and cookies reach a node through it`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'troupe-proxy-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const certificates = await makeCertificates(directory, `DNS:${NAME}`);
    const node = await startTestNode(t, {
      config: { auth: { mode: 'jwt', jwt: { secret: TOKEN_SECRET } } },
    });
    const [port, plain, away] = [await freePort(), await freePort(), await freePort()];
    const text = readFileSync(join(packageDirectory(), 'docs/examples/proxies', sample), 'utf8');
    const configuration = text
      .replace('10.0.0.7:8080', `127.0.0.1:${away}`)
      .replace('10.0.0.8:8080', `127.0.0.1:${node.port}`)
      .replaceAll('/etc/ssl/docs.example.com.pem', certificates.cert)
      .replaceAll('/etc/ssl/docs.example.com.key', certificates.key)
      .replace('listen 80;', `listen ${plain};`)
      .replace('listen 443 ssl;', `listen ${port} ssl;`)
      .replace(`\n${NAME} {`, `\n${NAME}:${port} {`);
    assert.doesNotMatch(configuration, /10\.0\.0\.|\/etc\/ssl/);
    await start(t, { directory, configuration, port });
    const client = clientOf(t, certificates, port);

    assert.equal(await client.status('/readyz'), 200, 'the node that is away is passed over');
    const token = await tokenOf('ada', { 'acme/*': 'editor' });
    for (const [origin, headers, hello] of [
      [client.origin, {}, { token }],
      [undefined, { authorization: `Bearer ${token}` }, {}],
    ] as const) {
      const socket = client.socket(origin, headers);
      const answers = await client.talk(socket, hello);
      assert.deepEqual(answers, ['welcome', 'opened', 'commit']);
    }
    const session = await client.login(token);
    assert.match(session.cookie, /^__Host-/);
    assert.deepEqual(await client.talk(client.socket(client.origin, { cookie: session.cookie }), {}), [
      'welcome',
      'opened',
      'commit',
    ]);
    assert.equal(await client.status('/v1/session', { cookie: session.cookie }), 200);
    const evil = { cookie: session.cookie, origin: 'https://evil.example' };
    assert.equal(await client.status('/v1/session', evil), 403);
    await assert.rejects(client.talk(client.socket(evil.origin, { cookie: session.cookie }), {}), /403/);
    assert.deepEqual(await client.talk(client.socket(client.origin, {}), {}), ['error', 4401]);
    await assert.rejects(client.talk(client.socket('https://evil.example', {}), { token }), /403/);
  });
}

/** Reaches the proxy by its name, wherever that name leads. */
function clientOf(t: TestContext, { client: { ca } }: Certificates, port: number) {
  const host = `${NAME}:${port}`;
  const to = { host: '127.0.0.1', port, servername: NAME, ca };
  const call = (
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      request({ ...to, method, path, headers: { ...headers, host } }, (answer) => {
        answer.resume();
        resolve(answer);
      })
        .once('error', reject)
        .end();
    });
  return {
    origin: `https://${host}`,
    status: async (path: string, headers: Readonly<Record<string, string>> = {}) =>
      (await call('GET', path, headers)).statusCode,
    /** Begins a session, as a page does. The cookie is what a browser would send back. */
    login: async (token: string): Promise<{ readonly cookie: string }> => {
      const { statusCode, headers } = await call('POST', '/v1/session', { authorization: `Bearer ${token}` });
      assert.equal(statusCode, 200);
      const [set = ''] = headers['set-cookie'] ?? [];
      for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Strict'])
        assert.ok(set.includes(attribute), set);
      return { cookie: set.slice(0, set.indexOf(';')) };
    },
    socket: (origin: string | undefined, headers: Readonly<Record<string, string>>): WebSocket => {
      const socket = new WebSocket(`wss://127.0.0.1:${port}/v1/socket`, 'troupe.v1.json', {
        agent: new Agent({ ca, servername: NAME }),
        headers: { ...headers, host },
        ...(origin === undefined ? {} : { origin }),
      });
      t.after(() => socket.terminate());
      return socket;
    },
    /** Edits a document. Resolves with the types of the answers, or with the close code behind them. */
    talk: (socket: WebSocket, hello: object): Promise<(string | number)[]> =>
      new Promise((resolve, reject) => {
        const answers: (string | number)[] = [];
        const doc = `acme/${crypto.randomUUID()}`;
        const op = [{ op: 'add', path: '/text', value: 'x'.repeat(200_000) }];
        socket.once('error', reject);
        socket.once('open', () => {
          const client = crypto.randomUUID();
          for (const message of [
            { type: 'hello', client, ...hello },
            { type: 'open', doc, kind: 'json' },
            { type: 'submit', doc, seq: 1, op },
          ])
            socket.send(JSON.stringify(message));
        });
        socket.on('message', (frame) => {
          answers.push(String(JSON.parse(String(frame)).type));
          if (answers.at(-1) === 'commit') resolve(answers);
        });
        socket.once('close', (code) => resolve([...answers, code]));
      }),
  };
}
