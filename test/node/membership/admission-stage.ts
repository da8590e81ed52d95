// The settings that nodes of one cluster share in the tests of admission, and how a refused node ends.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { createControlStore } from '../../../actors/storage/store-postgres.ts';
import type { Ended } from '../../cli/spawn.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { startTestRedis } from '../../support/redis.ts';

const CONFIG = 78;

/** A Redis and a database with their content. `of` returns the settings of a node of their cluster. */
export async function startStage(t: TestContext) {
  const redis = await startTestRedis(t);
  const databaseUrl = await freshDatabase(t);
  const control = createControlStore({ url: databaseUrl });
  t.after(() => control.close());
  const of = (node: string, ...more: string[]): string[] =>
    [
      `node.name=${node}`,
      'workers=1',
      `cluster.redis=${redis.url}`,
      'cluster.name=tests',
      'cluster.secret=a secret of the tests',
      'cluster.link.port=0',
      ...more,
    ].flatMap((setting) => ['--set', setting]);
  const runs = async () => (await control.sessions()).filter(({ slot }) => slot < 0);
  /** The nodes that own shards, once each, without nodes that are fenced. */
  const shards = async () => {
    const nodes = new Map((await control.sessions()).map(({ id, node }) => [id, node]));
    return [...new Set((await control.shardMap()).map(({ owner }) => owner && nodes.get(owner)))];
  };
  return { databaseUrl, of, runs, shards };
}

/** The node ended because of its configuration, with one line for people. Its log is JSON. */
export function ends({ code, stderr }: Ended, line: RegExp): void {
  assert.equal(code, CONFIG, stderr);
  const said = stderr.split('\n').filter((text) => text !== '' && !text.startsWith('{'));
  assert.equal(said.length, 1, stderr);
  assert.match(said[0]?.replace(/^troupe: /, '') ?? '', line);
}
