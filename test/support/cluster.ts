// Real nodes of one cluster for tests, with one Redis and one database.
import type { TestContext } from 'node:test';
import { startTestNode, type TestNode } from './node.ts';
import { freshDatabase } from './postgres.ts';
import { startTestRedis } from './redis.ts';

/**
 * Returns a function that starts a node of the cluster. After `t` all nodes are stopped, then Redis, and then the
 * database is dropped.
 */
export async function testCluster(
  t: Pick<TestContext, 'after'>,
  config: object = {},
): Promise<(name: string) => Promise<TestNode>> {
  const nodes: TestNode[] = [];
  const closers: (() => unknown)[] = [];
  const atEnd = { after: (close: () => unknown) => void closers.unshift(close) };
  t.after(async () => {
    for (const node of nodes) await node.stop();
    for (const close of closers) await close();
  });
  const storageUrl = await freshDatabase(atEnd);
  const redis = await startTestRedis(atEnd);
  return async (name) => {
    const cluster = { redis: redis.url, secret: 'a secret of the tests', name: 'tests', link: { port: 0 } };
    const node = await startTestNode(t, {
      storageUrl,
      config: { workers: 1, ...config, node: { name }, cluster },
    });
    nodes.push(node);
    return node;
  };
}
