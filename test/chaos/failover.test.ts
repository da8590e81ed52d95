// PostgreSQL fails over to its standby under load, with two nodes: what a synchronous one had is all there;
// what an asynchronous one lacks is another history to every client, and nobody ends with another document.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { BareClient } from '../../loadtest/bare-client.ts';
import { check } from '../../loadtest/checker.ts';
import { BareEditor } from '../../loadtest/editor.ts';
import { readLogs, readStored } from '../../loadtest/log.ts';
import { seededRandom } from '../../loadtest/random-edits.ts';
import { sameContent } from '../../loadtest/replica.ts';
import type { KindName } from '../../protocol/messages.ts';
import { startTestNode, type TestNode } from '../support/node.ts';
import { type Afterwards, startTestRedis } from '../support/redis.ts';
import { startReplicated } from '../support/replicated-postgres.ts';
import { until } from '../support/until.ts';

const KINDS: readonly KindName[] = ['rich-text', 'json', 'yjs', 'rich-text'];
const CLIENTS_EACH = 2;
const PER_SECOND = 15;
const EDITS = 24;

test('failover to a synchronous standby: no acknowledged edit is lost, and the clients go on', async (context) => {
  const t = closingInReverse(context);
  const database = await startReplicated(t, { synchronous: true });
  const load = await startLoad(t, database.url);
  await load.moreEdits();
  await database.primary.crash();
  await database.standby.promote();
  await load.moreEdits();
  await load.stop();
  const [node] = load.nodes;
  const logs = await readLogs({ url: node.socketUrl, random: Math.random }, load.docs);
  const stored = await readStored(database.standby.url, logs);
  const records = load.clients.flatMap((client) => client.recorder.records());
  assert.deepEqual(check(stored, records), []);
  assert.deepEqual(
    [...load.historiesOf()].map(([, seen]) => seen.size),
    KINDS.map(() => 1),
  );
});

test('failover to an asynchronous standby: what is lost is another history, never a fork', async (context) => {
  const t = closingInReverse(context);
  const database = await startReplicated(t, { synchronous: false });
  const load = await startLoad(t, database.url);
  await load.moreEdits();
  await database.caughtUp();
  await database.stopReplication();
  const kept = new Map(load.editors.map(({ document }) => [document, document.version]));
  await load.moreEdits();
  assert.ok([...kept].every(([document, version]) => document.version > version));
  await database.primary.crash();
  await database.standby.promote();
  await load.moreEdits();
  await load.stop();
  for (const [doc, seen] of load.historiesOf()) assert.ok(seen.size === 2, `${doc}: ${[...seen].join()}`);
  const [node] = load.nodes;
  const logs = await readLogs({ url: node.socketUrl, random: Math.random }, load.docs).catch(() => []);
  assert.deepEqual(logs.map(({ doc }) => doc).sort(), [...load.docs].sort());
  const [first] = load.clients;
  for (const { document } of load.editors) {
    const same = load.editors.filter(({ document: other }) => other.doc === document.doc);
    for (const { document: other } of same) {
      assert.equal(other.version, document.version);
      const [left, right] = [document.replica, other.replica];
      assert.ok(left !== undefined && right !== undefined && first !== undefined);
      assert.ok(sameContent(left.kind, left.content(), right.content()), `${document.doc} has forked`);
    }
  }
});

/** A node stops while its database is there. */
function closingInReverse(t: TestContext): Afterwards {
  const closers: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  return { after: (close) => void closers.push(close) };
}

interface Load {
  readonly nodes: readonly [TestNode, TestNode];
  readonly docs: readonly string[];
  readonly clients: readonly BareClient[];
  readonly editors: readonly BareEditor[];
  /** Until each document has been edited by everyone some more. */
  moreEdits(): Promise<void>;
  /** Everybody has all. */
  stop(): Promise<void>;
  /** Document -> histories under which clients were told of it. */
  historiesOf(): ReadonlyMap<string, ReadonlySet<string>>;
}

async function startLoad(t: Afterwards, storageUrl: string): Promise<Load> {
  const redis = await startTestRedis(t);
  const node = (name: string): Promise<TestNode> =>
    startTestNode(t, {
      storageUrl,
      config: {
        node: { name },
        workers: 1,
        drain: { timeoutMs: 1000 },
        cluster: { redis: { url: redis.url }, secret: 'a secret of the tests', link: { port: 0 } },
      },
    });
  const nodes = [await node('one'), await node('two')] as const;
  const random = seededRandom(1);
  const clients: BareClient[] = [];
  const editors: BareEditor[] = [];
  t.after(async () => {
    for (const client of clients) client.stop();
  });
  for (const [index, kind] of KINDS.entries()) {
    for (let each = 0; each < CLIENTS_EACH; each++) {
      const { socketUrl } = nodes[each % nodes.length] ?? nodes[0];
      const name = `editor-${index}-${each}`;
      const client = new BareClient({
        url: socketUrl,
        client: name,
        encoding: 'json',
        random,
        replicas: true,
      });
      clients.push(client);
      await client.connect();
      const pace = { type: 'open', perSecond: PER_SECOND } as const;
      editors.push(new BareEditor({ client, doc: `failover/${index}`, kind, random, pace }));
    }
  }
  for (const editor of editors) editor.start();
  return {
    nodes,
    docs: KINDS.map((_, index) => `failover/${index}`),
    clients,
    editors,
    moreEdits: async () => {
      const from = editors.map(({ counts }) => counts.committed);
      const enough = (): boolean =>
        editors.every(({ counts }, at) => counts.committed >= (from[at] ?? 0) + EDITS / CLIENTS_EACH);
      await until(enough);
    },
    stop: async () => {
      await Promise.all(editors.map((editor) => editor.stop()));
      const heads = new Map<string, number>();
      for (const { document } of editors)
        heads.set(document.doc, Math.max(document.version, heads.get(document.doc) ?? 0));
      await Promise.all(editors.map(({ document }) => document.until(heads.get(document.doc) ?? 0)));
    },
    historiesOf: () => {
      const all = new Map<string, Set<string>>();
      for (const { doc, streams } of clients.flatMap(({ recorder }) => recorder.records())) {
        const seen = all.get(doc) ?? new Set();
        for (const { history } of streams) seen.add(history);
        all.set(doc, seen);
      }
      return all;
    },
  };
}
