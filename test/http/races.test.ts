// HTTP writers on two nodes of a cluster, raced against sockets, against documents that move, and against the kill -9 of
// a node: each acknowledged write is in the document once, each key is applied once, each If-Match is honoured.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { shardOf } from '../../actors/shard.ts';
import { troupe } from '../cli/spawn.ts';
import { startTestNode, type TestNode } from '../support/node.ts';
import { freshDatabase } from '../support/postgres.ts';
import { startTestRedis } from '../support/redis.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { json, patch } from './api-client.ts';

const LIMIT = { timeout: 180_000 };
const SECRET = 'a secret of the tests';
const DOCS = 6;
const WRITERS = 4;
/** Where the documents move as soon as that node is there. Shards that are pinned move before all others. */
const PINS = [{ match: 'acme', node: 'b' }];
/** The lists to which writers append, and the counters that they raise by If-Match. */
const names = Array.from({ length: DOCS }, (_, n) => `doc-${n}`);

interface Stage {
  readonly storageUrl: string;
  readonly redisUrl: string;
  join(name: string): Promise<TestNode>;
}

async function stage(t: TestContext): Promise<Stage> {
  const later: (() => unknown)[] = [];
  const redis = await startTestRedis(t);
  const storageUrl = await freshDatabase({ after: (drop) => void later.push(drop) });
  t.after(async () => {
    for (const drop of later) await drop();
  });
  const join = (name: string): Promise<TestNode> =>
    startTestNode(t, {
      storageUrl,
      config: {
        node: { name },
        workers: 1,
        http: { requestsPerSecond: 100_000 },
        cluster: {
          redis: redis.url,
          secret: SECRET,
          name: 'tests',
          pins: PINS,
          link: { port: 0 },
          leaseTtlMs: '1s',
          renewMs: '200ms',
        },
      },
    });
  return { storageUrl, redisUrl: redis.url, join };
}

/** Sends the request until it has an answer that is final. A node that is gone is left for another one. */
async function untilAnswered(
  bases: () => readonly string[],
  path: string,
  init: RequestInit,
): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    const all = bases();
    const base = all[attempt % all.length] ?? '';
    try {
      const answer = await fetch(new URL(path, base), { ...init, signal: AbortSignal.timeout(20_000) });
      if (answer.status !== 503 && answer.status !== 429) return answer;
      await answer.arrayBuffer();
    } catch (error) {
      if (attempt > 2_000) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface Written {
  readonly acked: Map<string, string[]>;
  readonly raised: Map<string, number>;
}

/** Appends values and raises counters until `isOver`. Each write has a key, and is sent a second time now and then. */
async function write(
  bases: () => readonly string[],
  writer: number,
  counts: { written: number },
  isOver: () => boolean,
): Promise<Written> {
  const acked = new Map(names.map((name) => [name, [] as string[]]));
  const raised = new Map(names.map((name) => [name, 0]));
  for (let n = 0; !isOver(); n++) {
    const name = names[(n + writer) % DOCS] ?? '';
    const path = `/v1/docs/acme/${name}`;
    const value = `${writer}-${n}`;
    const append = patch([{ op: 'add', path: '/list/-', value }], { 'idempotency-key': `append ${value}` });
    const answer = await untilAnswered(bases, path, { ...append, method: 'PATCH' });
    assert.equal(answer.status, 200, await answer.text());
    acked.get(name)?.push(value);
    counts.written++;
    if (n % 3 === 0) {
      const again = await untilAnswered(bases, path, { ...append, method: 'PATCH' });
      assert.deepEqual(again.headers.get('etag'), answer.headers.get('etag'), 'a key has one answer');
    }
    const read = await untilAnswered(bases, path, {});
    const { content } = (await read.json()) as { content: { n: number; list: string[] } };
    assert.ok(content.list.includes(value), 'what was acknowledged is read');
    const raise = patch([{ op: 'replace', path: '/n', value: content.n + 1 }], {
      'idempotency-key': `raise ${value}`,
      'if-match': read.headers.get('etag') ?? '',
    });
    const answered = await untilAnswered(bases, path, { ...raise, method: 'PATCH' });
    assert.ok([200, 412].includes(answered.status), String(answered.status));
    if (answered.status === 200) raised.set(name, (raised.get(name) ?? 0) + 1);
  }
  return { acked, raised };
}

/** Resolves when the node owns the shards of all documents. */
async function hasAll(storageUrl: string, node: string): Promise<void> {
  const sql = postgres(storageUrl, { max: 1, onnotice: () => undefined });
  const shards = names.map((name) => shardOf(`acme/${name}`));
  try {
    await untilSeen(`all documents on ${node}`, async () => {
      const elsewhere = await sql`
        SELECT FROM shard LEFT JOIN session ON session.id = shard.owner
        WHERE shard.id = ANY(${shards}) AND session.node IS DISTINCT FROM ${node}`;
      return elsewhere.length === 0;
    });
  } finally {
    await sql.end();
  }
}

/** Races writers while `meanwhile` runs, and checks what is there in the end. */
async function race(
  t: TestContext,
  first: TestNode,
  bases: () => readonly string[],
  meanwhile: (counts: { readonly written: number }) => Promise<void>,
) {
  for (const name of names) {
    const init = json({ kind: 'json', content: { n: 0, list: [] } });
    assert.equal((await untilAnswered(bases, `/v1/docs/acme/${name}`, init)).status, 201);
  }
  const socket = await WireClient.connect(t, first.socketUrl, { client: 'editor-1234' });
  for (const name of names) await socket.open(`acme/${name}`);
  let isOver = false;
  const counts = { written: 0 };
  const writing = Array.from({ length: WRITERS }, (_, writer) => write(bases, writer, counts, () => isOver));
  const typing = (async () => {
    let seq = 0;
    while (!isOver) {
      seq++;
      const op = [{ op: 'add', path: '/list/-', value: `socket-${seq}` }];
      const answers = await Promise.all(names.map((name) => socket.submit(`acme/${name}`, seq, op)));
      for (const { type } of answers) assert.ok(type === 'commit' || type === 'ack', type);
    }
    return seq;
  })();
  await meanwhile(counts);
  isOver = true;
  const all = await Promise.all(writing);
  const typed = await typing;
  for (const name of names) {
    const read = await untilAnswered(bases, `/v1/docs/acme/${name}`, {});
    const { content } = (await read.json()) as { content: { n: number; list: string[] } };
    const ofWriters = content.list.filter((value) => !value.startsWith('socket'));
    const acked = all.flatMap(({ acked: by }) => by.get(name) ?? []);
    assert.deepEqual([...ofWriters].sort(), [...acked].sort(), `${name}: each write once`);
    const raised = all.reduce((sum, { raised: by }) => sum + (by.get(name) ?? 0), 0);
    assert.equal(content.n, raised, `${name}: each If-Match honoured`);
    const ofSocket = content.list.filter((value) => value.startsWith('socket'));
    const wanted = Array.from({ length: typed }, (_, n) => `socket-${n + 1}`);
    assert.deepEqual(ofSocket, wanted, `${name}: each edit of the socket once, in order`);
  }
  assert.ok(typed > 0);
}

test('DOC-4 DOC-5 DOC-6 writers on both nodes, while documents move to a node and back', LIMIT, async (t) => {
  const { join, storageUrl } = await stage(t);
  const a = await join('a');
  const urls = [a.url];
  await race(
    t,
    a,
    () => urls,
    async () => {
      const b = await join('b');
      urls.push(b.url);
      await hasAll(storageUrl, 'b');
      urls.pop();
      await b.stop();
    },
  );
});

test(
  'DOC-4 DOC-5 DOC-6 writers through the node that lives, while the other one is killed',
  LIMIT,
  async (t) => {
    const { join, storageUrl, redisUrl } = await stage(t);
    const a = await join('a');
    const settings = {
      'storage.url': storageUrl,
      'listen.port': '0',
      'node.name': 'b',
      workers: '1',
      'cluster.redis.url': redisUrl,
      'cluster.secret': SECRET,
      'cluster.name': 'tests',
      'cluster.pins': JSON.stringify(PINS),
      'cluster.link.port': '0',
      'cluster.leaseTtlMs': '1s',
      'cluster.renewMs': '200ms',
    };
    const b = troupe(
      t,
      'serve',
      ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    );
    const [, url = ''] = await b.line(/(http:\/\/\S+)/);
    const urls = [a.url, url];
    await race(
      t,
      a,
      () => urls,
      async (counts) => {
        await hasAll(storageUrl, 'b');
        b.child.kill('SIGKILL');
        urls.pop();
        const { written } = counts;
        await untilSeen('writes after the takeover', async () => counts.written > written + 100);
      },
    );
  },
);
