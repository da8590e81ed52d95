// The load of the failover tests: editors of documents of each kind, on two nodes.
import type { TestContext } from 'node:test';
import { BareClient } from '../../loadtest/clients/bare-client.ts';
import { BareEditor } from '../../loadtest/clients/editor.ts';
import { seededRandom } from '../../loadtest/clients/random-edits.ts';
import type { KindName } from '../../protocol/messages.ts';
import { startTestNode, type TestNode } from '../support/node.ts';
import { type Afterwards, startTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

export const KINDS: readonly KindName[] = ['rich-text', 'json', 'yjs', 'rich-text'];
const CLIENTS_EACH = 2;
const PER_SECOND = 15;
const EDITS = 24;

/** The nodes stop before their database does. */
export function closingInReverse(t: TestContext): Afterwards {
  const closers: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  return { after: (close) => void closers.push(close) };
}

export interface Load {
  readonly nodes: readonly [TestNode, TestNode];
  readonly docs: readonly string[];
  readonly clients: readonly BareClient[];
  readonly editors: readonly BareEditor[];
  /** Resolves when each editor has edited each document some more. */
  moreEdits(): Promise<void>;
  /** Resolves when every editor has every edit. */
  stop(): Promise<void>;
  /** Per document, the histories under which it was told to clients. */
  historiesOf(): ReadonlyMap<string, ReadonlySet<string>>;
}

export async function startLoad(t: Afterwards, storageUrl: string): Promise<Load> {
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
    for (const editor of editors) editor.close();
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
