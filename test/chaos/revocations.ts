// Revocations in a cluster of two nodes, each a process: a user edits at one node over each kind of socket, the token is
// revoked at the other node, and the user goes on trying. Owns the nodes and the users, and tells when each socket ended.
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { NodeProcess } from '../../loadtest/nodes/node-process.ts';
import { type Afterwards, startTestRedis } from '../support/redis.ts';
import { STOCK_PACKAGES, type StockProvider } from '../support/stock-providers.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';

/** The sockets of a user: of /v1/socket, and of one stock provider for each protocol of Yjs. */
export const SOCKETS = ['/v1/socket', '/yjs', '/hocuspocus'] as const;
export type SocketKind = (typeof SOCKETS)[number];

/** From the request for the revocation until the user's socket had ended, ms. */
export type Ends = Readonly<Record<SocketKind, number>>;

export interface Revocations {
  /** Revokes a new user who edits, and checks that nothing of the user commits after the end of its socket. */
  round(): Promise<Ends>;
  killRedis(): Promise<void>;
}

export async function startRevocations(t: Afterwards, storageUrl: string): Promise<Revocations> {
  const redis = await startTestRedis(t);
  const join = async (name: string): Promise<NodeProcess> => {
    const node = await NodeProcess.start({
      storage: { url: storageUrl },
      set: [
        `node.name=${name}`,
        'workers=1',
        'auth.mode=jwt',
        `auth.jwt.secret=${TOKEN_SECRET}`,
        // The socket ends when its node has learnt of the revocation.
        'auth.graceMs=0',
        `cluster.redis=${redis.url}`,
        'cluster.secret=a secret of the tests',
        'cluster.link.port=0',
      ],
    });
    t.after(async () => void (await node.stop()));
    return node;
  };
  const [here, there] = [await join('here'), await join('there')];
  let rounds = 0;
  return {
    round: () => round(here, there, ++rounds),
    killRedis: () => redis.kill(),
  };
}

async function round(here: NodeProcess, there: NodeProcess, n: number): Promise<Ends> {
  const sub = `user-${n}`;
  const token = await tokenOf(sub, { 'acme/*': 'editor' });
  const closers: (() => unknown)[] = [];
  const t = { after: (close: () => unknown) => void closers.push(close) };
  try {
    const users: Record<SocketKind, User> = {
      '/v1/socket': await socketUser(t, there, `acme/json-${n}`, token),
      '/yjs': await providerUser(t, there, `acme/yws-${n}`, token, 'y-websocket 2.1'),
      '/hocuspocus': await providerUser(t, there, `acme/hocuspocus-${n}`, token, '@hocuspocus/provider 4'),
    };
    const revoked = performance.now();
    const admin = await tokenOf('root', {}, { admin: true });
    await call(here, 'POST', '/v1/revocations', admin, { sub });
    const ended = async (user: User): Promise<number> => {
      await untilSeen(() => `the end of ${user.doc}`, user.hasEnded);
      const ms = performance.now() - revoked;
      await nothingMore(there, user, token);
      return ms;
    };
    const [socket, yws, hocuspocus] = await Promise.all(SOCKETS.map((kind) => ended(users[kind])));
    assert.ok(socket !== undefined && yws !== undefined && hocuspocus !== undefined);
    return { '/v1/socket': socket, '/yjs': yws, '/hocuspocus': hocuspocus };
  } finally {
    for (const close of closers) await close();
  }
}

interface User {
  readonly doc: string;
  hasEnded(): boolean;
  /** Tries to edit after the end. Resolves when the node has refused it, where the client can learn that. */
  editAgain(): Promise<void>;
}

async function socketUser(
  t: { after(close: () => unknown): void },
  node: NodeProcess,
  doc: string,
  token: string,
): Promise<User> {
  const connect = async (): Promise<WireClient> => {
    const client = await WireClient.connect(t, node.socketUrl);
    client.send({ type: 'hello', client: 'editor-1234', token });
    return client;
  };
  const client = await connect();
  await client.open(doc, 'json');
  const edit = (seq: number): Promise<unknown> =>
    client.submit(doc, seq, [{ op: 'add', path: '/n', value: seq }]);
  await edit(1);
  // Edits until the socket is closed.
  void (async () => {
    for (let seq = 2; client.closed === undefined; seq++) await edit(seq);
  })().catch((error: unknown) => assert.ok(client.closed, String(error)));
  return {
    doc,
    hasEnded: () => client.closed?.code === 4401,
    editAgain: async () => {
      assert.equal((await (await connect()).untilClosed()).code, 4401);
    },
  };
}

async function providerUser(
  t: { after(close: () => unknown): void },
  node: NodeProcess,
  doc: string,
  token: string,
  name: string,
): Promise<User> {
  const stock = STOCK_PACKAGES.find((each) => each.name === name);
  assert.ok(stock, name);
  const provider: StockProvider = stock.start({ port: node.port, doc, token });
  t.after(() => provider.destroy());
  await untilSeen(`${name} is synced`, () => provider.isSynced);
  const hasEnded = (): boolean => provider.closes.length > 0 || provider.refusals.length > 0;
  const typing = setInterval(() => {
    if (!hasEnded()) provider.insert(0, 'x');
  }, TYPE_EACH_MS);
  t.after(() => clearInterval(typing));
  return {
    doc,
    hasEnded,
    // The provider connects again by itself, and tries to bring it.
    editAgain: async () => {
      provider.insert(0, LATE);
      await untilSeen(`${name} is refused`, () => provider.refusals.length > 0);
    },
  };
}

const TYPE_EACH_MS = 20;
const LATE = 'too late';

/** Nothing of the user is committed from now on, whatever it tries. */
async function nothingMore(node: NodeProcess, { doc, editAgain }: User, token: string): Promise<void> {
  const owner = await tokenOf('owner', { 'acme/*': 'owner' });
  const path = `/v1/docs/${doc}`;
  const { version } = await call(node, 'GET', path, owner);
  await editAgain();
  const refused = await ask(node, 'PATCH', path, token, { op: [] });
  assert.equal(refused.status, 401);
  const after = await call(node, 'GET', path, owner);
  assert.equal(after.version, version, `${doc}: nothing of a revoked user commits`);
}

const ask = (
  node: NodeProcess,
  method: string,
  path: string,
  token: string,
  body?: object,
): Promise<Response> =>
  fetch(`http://127.0.0.1:${node.port}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

async function call(...request: Parameters<typeof ask>): Promise<{ readonly [key: string]: unknown }> {
  const answer = await ask(...request);
  const text = await answer.text();
  assert.ok(answer.ok, `${request[2]}: ${text}`);
  return JSON.parse(text);
}
