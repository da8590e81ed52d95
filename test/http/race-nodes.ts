// The two nodes of the races over HTTP: a cluster with Redis in which all documents go to the node `b` as soon as it is
// there. `b` runs in this process, or as a process that a test kills.
import type { TestContext } from 'node:test';
import postgres from 'postgres';
import { shardOf } from '../../actors/shard.ts';
import { troupe } from '../cli/spawn.ts';
import { startTestNode, type TestNode } from '../support/node.ts';
import { freshDatabase } from '../support/postgres.ts';
import { startTestRedis } from '../support/redis.ts';
import { untilSeen } from '../support/until.ts';

const SECRET = 'a secret of the tests';
/** Shards that are pinned move before all others. */
const PINS = [{ match: 'acme', node: 'b' }];

export interface RaceNodes {
  join(name: string): Promise<TestNode>;
  /** A node that is a process of its own. */
  joinMortal(name: string): Promise<{ readonly url: string; kill(): void }>;
  /** Resolves when the node owns the shards of these documents. */
  hasAll(docs: readonly string[], node: string): Promise<void>;
}

export async function raceNodes(t: TestContext): Promise<RaceNodes> {
  const later: (() => unknown)[] = [];
  const redis = await startTestRedis(t);
  const storageUrl = await freshDatabase({ after: (drop) => void later.push(drop) });
  t.after(async () => {
    for (const drop of later) await drop();
  });
  return {
    join: (name) =>
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
      }),
    joinMortal: async (name) => {
      const settings = {
        'storage.url': storageUrl,
        'listen.port': '0',
        'node.name': name,
        workers: '1',
        'http.requestsPerSecond': '100000',
        'cluster.redis.url': redis.url,
        'cluster.secret': SECRET,
        'cluster.name': 'tests',
        'cluster.pins': JSON.stringify(PINS),
        'cluster.link.port': '0',
        'cluster.leaseTtlMs': '1s',
        'cluster.renewMs': '200ms',
      };
      const node = troupe(
        t,
        'serve',
        ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
      );
      const [, url = ''] = await node.line(/(http:\/\/\S+)/);
      return { url, kill: () => void node.child.kill('SIGKILL') };
    },
    hasAll: async (docs, node) => {
      const sql = postgres(storageUrl, { max: 1, onnotice: () => undefined });
      const shards = docs.map(shardOf);
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
    },
  };
}

/** Sends the request until it has an answer that is final. A node that is gone is left for another one. */
export async function untilAnswered(
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
