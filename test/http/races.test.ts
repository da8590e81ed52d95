// HTTP writers on two nodes of a cluster, raced against sockets, against documents that move, and against the kill -9 of
// a node: each acknowledged write is in the document once, each key is applied once, each If-Match is honoured.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { racePauseMs, raceRounds } from '../support/fuzz-runs.ts';
import type { TestNode } from '../support/node.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { json, patch } from './api-client.ts';
import { raceNodes, untilAnswered } from './race-nodes.ts';

const LIMIT = { timeout: 180_000 };
const DOCS = 6;
const WRITERS = 4;
/** Between two rounds of a writer. Without it the writers would take the processors from the nodes that join and take over. */
const PAUSE_MS = racePauseMs(20);
/** The lists to which writers append, and the counters that they raise by If-Match. */
const names = Array.from({ length: DOCS }, (_, n) => `doc-${n}`);
const paths = names.map((name) => `acme/${name}`);

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
    await setTimeout(PAUSE_MS);
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
      await setTimeout(PAUSE_MS);
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
  const nodes = await raceNodes(t);
  const a = await nodes.join('a');
  const urls = [a.url];
  await race(
    t,
    a,
    () => urls,
    async () => {
      const b = await nodes.join('b');
      urls.push(b.url);
      await nodes.hasAll(paths, 'b');
      urls.pop();
      await b.stop();
    },
  );
});

test(
  'DOC-4 DOC-5 DOC-6 writers through the node that lives, while the other one is killed',
  LIMIT,
  async (t) => {
    const nodes = await raceNodes(t);
    const a = await nodes.join('a');
    const b = await nodes.joinMortal('b');
    const urls = [a.url, b.url];
    await race(
      t,
      a,
      () => urls,
      async (counts) => {
        await nodes.hasAll(paths, 'b');
        b.kill();
        urls.pop();
        const { written } = counts;
        await untilSeen('writes after the takeover', async () => counts.written > written + raceRounds(40));
      },
    );
  },
);
