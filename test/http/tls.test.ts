// TLS on a node's own listener: the page, the API and sockets over it, and certificates that change while it runs.
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { connect as connectTls, type PeerCertificate } from 'node:tls';
import { WebSocket } from 'ws';
import { createAuthority } from '../cluster/peer/peer-certificates.ts';
import { startTestNode } from '../support/node.ts';
import { until } from '../support/until.ts';

const RELOAD_MS = 20;

/** A node with TLS, the authority of its certificates, and a function that writes the files of the next pair. */
async function stage(t: Pick<TestContext, 'after'>) {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-tls-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const authority = createAuthority('authority');
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const put = (file: string, text: string): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  const issue = (name: string) => {
    const { cert, key } = authority.issue(name);
    return { cert: () => put(files.cert, cert), key: () => put(files.key, key) };
  };
  const first = issue('first');
  first.cert();
  first.key();
  const lines: Readonly<Record<string, unknown>>[] = [];
  const node = await startTestNode(t, {
    config: { listen: { tls: { ...files, reloadMs: RELOAD_MS } } },
    onLogLine: (line) => lines.push(line),
  });
  return {
    node,
    issue,
    files,
    put,
    lines,
    trusted: { ca: authority.cert, checkServerIdentity: () => undefined },
  };
}

/** The stage of the tests that leave the certificate as it is. */
let unchanged: Awaited<ReturnType<typeof stage>>;
const closers: (() => unknown)[] = [];
before(async () => {
  unchanged = await stage({ after: (close) => void closers.push(close as () => unknown) });
});
after(async () => {
  for (const close of closers.reverse()) await close();
});

type Trusted = Awaited<ReturnType<typeof stage>>['trusted'];

/** The name in the certificate that the node shows now. */
function shownBy(port: number, trusted: Trusted): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, ...trusted }, () => {
      const { subject }: PeerCertificate = socket.getPeerCertificate();
      socket.destroy();
      resolve(String(subject.CN));
    });
    socket.once('error', reject);
  });
}

test('HTTP-12 a request for another protocol is served over TLS too', async () => {
  const { node, trusted } = unchanged;
  const headers = { connection: 'Upgrade', upgrade: 'h2c' };
  const status = await new Promise<number | undefined>((resolve, reject) => {
    request(`${node.url}healthz`, { ...trusted, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on('error', reject)
      .end();
  });
  assert.equal(status, 200);
});

test('with listen.tls a node serves pages and sockets over TLS, and nothing in the clear', async () => {
  const { node, trusted } = unchanged;
  assert.match(node.url, /^https:\/\/127\.0\.0\.1:\d+\/$/);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    request(`${node.url}readyz`, trusted, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .once('error', reject)
      .end();
  });
  assert.equal(status, 200);

  const origin = node.url.slice(0, -1);
  // Node takes what is false as no error. The certificate has a name, and no address.
  const socket = new WebSocket(node.socketUrl, 'troupe.v1.json', {
    ca: trusted.ca,
    checkServerIdentity: () => false,
    origin,
  });
  const answers: string[] = [];
  socket.on('open', () => {
    socket.send(JSON.stringify({ type: 'hello', client: 'client-01' }));
    socket.send(JSON.stringify({ type: 'open', doc: 'acme/plan', kind: 'json' }));
    const op = [{ op: 'add', path: '/text', value: 'x'.repeat(100_000) }];
    socket.send(JSON.stringify({ type: 'submit', doc: 'acme/plan', seq: 1, op }));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (frame) => {
      answers.push(JSON.parse(String(frame)).type);
      if (answers.at(-1) === 'commit') resolve();
    });
  });
  assert.deepEqual(answers, ['welcome', 'opened', 'commit']);
  socket.terminate();

  const clear = connect(node.port, '127.0.0.1');
  let heard = '';
  clear.on('data', (bytes) => {
    heard += bytes.toString('latin1');
  });
  clear.end('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await new Promise((resolve) => clear.once('close', resolve).once('error', () => undefined));
  assert.doesNotMatch(heard, /HTTP/);
});

test('a changed certificate is used without a restart, and one that cannot be used is reported once', async (t) => {
  const { node, issue, files, put, lines, trusted } = await stage(t);
  assert.equal(await shownBy(node.port, trusted), 'first');
  const open = connectTls({ host: '127.0.0.1', port: node.port, ...trusted });
  await new Promise((resolve) => open.once('secureConnect', resolve));

  const second = issue('second');
  second.cert();
  await until(() => lines.length > 0);
  assert.equal(await shownBy(node.port, trusted), 'first');
  second.key();
  await until(async () => (await shownBy(node.port, trusted)) === 'second');

  put(files.cert, 'no certificate');
  await until(() => lines.length > 1);
  assert.equal(await shownBy(node.port, trusted), 'second');
  const third = issue('third');
  third.key();
  third.cert();
  await until(async () => (await shownBy(node.port, trusted)) === 'third');
  const kinds = new Set(lines.map(({ msg }) => msg));
  assert.deepEqual(
    [...kinds],
    ['the new certificate of listen.tls cannot be used: the one before it stays in use'],
  );
  assert.equal(open.destroyed, false, 'an open connection stays');
  open.destroy();
});
