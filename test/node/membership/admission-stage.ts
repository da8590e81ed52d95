// The settings that nodes of one cluster share in the tests of admission, and how a refused node ends.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { createControlStore } from '../../../actors/storage/store-postgres.ts';
import { EXIT } from '../../../config/fatal.ts';
import { type Running, serve, serving } from '../../cli/spawn.ts';
import { startTestNode, type TestNode } from '../../support/node.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { startTestRedis } from '../../support/redis.ts';
import { refusedStart } from '../refused-start.ts';

const SECRET = 'a secret of the tests';

/** A Redis and a database with their content. At the end of `t` they outlive the nodes of this process. */
export async function startStage(t: TestContext) {
  const nodes: TestNode[] = [];
  const closers: (() => unknown)[] = [];
  const atEnd = { after: (close: () => unknown) => void closers.push(close) };
  t.after(async () => {
    for (const node of nodes) await node.stop();
    for (const close of closers) await close();
  });
  const redis = await startTestRedis(atEnd);
  const databaseUrl = await freshDatabase(atEnd);
  const control = createControlStore({ url: databaseUrl });
  closers.unshift(() => control.close());
  const cluster = { redis: redis.url, name: 'tests', secret: SECRET, link: { port: 0 } };
  /** The settings of a node of the cluster. */
  const of = (node: string, ...more: string[]): string[] => [
    `node.name=${node}`,
    'workers=1',
    `cluster.redis=${redis.url}`,
    'cluster.name=tests',
    `cluster.secret=${SECRET}`,
    'cluster.link.port=0',
    ...more,
  ];
  const flags = (settings: readonly string[]): string[] => settings.flatMap((each) => ['--set', each]);
  return {
    databaseUrl,
    of,
    /** Starts a node of the cluster in this process. Its log lines of `warn` and above are given to `onLogLine`. */
    node: async (
      name: string,
      onLogLine: (line: Readonly<Record<string, unknown>>) => void = () => undefined,
    ) => {
      const config = { node: { name }, workers: 1, cluster };
      const node = await startTestNode(t, { storageUrl: databaseUrl, config, onLogLine });
      nodes.push(node);
      return node;
    },
    /** Starts a node without a cluster in this process. */
    alone: async (name: string) => {
      const config = { node: { name }, workers: 1 };
      const node = await startTestNode(t, { storageUrl: databaseUrl, config });
      nodes.push(node);
      return node;
    },
    /** Starts `troupe serve` with these settings, and waits until it is ready. */
    serving: (...settings: string[]) => serving(t, databaseUrl, ...flags(settings)),
    /** Starts `troupe serve` with these settings. */
    serve: (...settings: string[]): Running => serve(t, databaseUrl, ...flags(settings)),
    /** A node with these settings does not start because of its configuration, and says this. */
    refuses: async (line: RegExp, ...settings: string[]): Promise<void> => {
      const { message, exitCode } = await refusedStart(databaseUrl, ...settings);
      assert.equal(exitCode, EXIT.config, message);
      assert.match(message, line);
      assert.doesNotMatch(message, /\n/);
    },
    runs: async () => (await control.sessions()).filter(({ slot }) => slot < 0),
    /** The nodes that own shards, once each, without nodes that are fenced. */
    shards: async () => {
      const names = new Map((await control.sessions()).map(({ id, node }) => [id, node]));
      return [...new Set((await control.shardMap()).map(({ owner }) => owner && names.get(owner)))];
    },
  };
}
