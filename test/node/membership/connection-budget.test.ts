// A node counts the connections that it will need before it opens them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import postgres from 'postgres';
import type { Clock } from '../../../actors/clock.ts';
import type { ConnectionBudget } from '../../../actors/storage/store.ts';
import { StartError } from '../../../config/fatal.ts';
import { configFrom } from '../../../config/load.ts';
import {
  checkConnections,
  connectionsOf,
  embeddedSettings,
} from '../../../src/membership/connection-budget.ts';
import { troupe } from '../../cli/spawn.ts';
import { startTestNode } from '../../support/node.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { WireClient } from '../../support/wire-client.ts';

const ALONE = { workers: 3, storage: { readConnections: 2 }, compute: { threads: 1 } };
const alone = configFrom(ALONE);
const member = configFrom({
  ...ALONE,
  storage: { url: 'postgres://db/troupe', readConnections: 2 },
  cluster: { redis: 'redis://redis', secret: 'sixteen characters' },
});

/** Time passes by waiting. */
function patientClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    after: (ms, run) => {
      now += ms;
      queueMicrotask(run);
      return () => undefined;
    },
    every: () => () => undefined,
    soon: queueMicrotask,
  };
}

async function check(config: typeof alone, ...budgets: ConnectionBudget[]) {
  const warnings: string[] = [];
  const connectionBudget = async () => {
    const [first, ...rest] = budgets;
    assert.ok(first);
    if (rest.length > 0) budgets = rest;
    return first;
  };
  await checkConnections(config, { connectionBudget }, (message) => warnings.push(message), patientClock());
  return warnings;
}

/** One of the `used` connections is that of the query. */
const budget = (max: number, used: number): ConnectionBudget => ({ max, reserved: 3, used, ours: 1 });

test('a node takes a connection to write and some to read for each worker, and what its planes take', () => {
  assert.equal(connectionsOf(alone).total, 3 + 6 + 1 + 3 + 2 + 2 + 1 + 2);
  assert.equal(connectionsOf(member).total, 3 + 6 + 1 + 3 + 2 + 2 + 1 + 2 + 2);
});

test('with room to the last connection a node starts; with one less it says in one line what it takes', async () => {
  await check(alone, budget(100, 100 - 3 - 20 + 1));
  await assert.rejects(check(alone, budget(100, 100 - 3 - 20 + 2)), (error: unknown) => {
    assert.ok(error instanceof StartError);
    assert.equal(
      error.message,
      'PostgreSQL has room for 19 more connections and this node takes 20 (3 to write, 6 to read, 1 to fold snapshots, 3 to read histories, 2 of the control plane, 2 of requests, 1 to listen, 2 for events): of max_connections = 100, 3 are reserved and 79 in use. Raise max_connections, or lower workers or storage.readConnections',
    );
    return true;
  });
});

test('connections of a node that has just ended are waited for', async () => {
  await check(alone, budget(100, 95), budget(100, 95), budget(100, 50));
});

test('in a cluster a warning says when no second node of this size would fit', async () => {
  assert.deepEqual(await check(member, budget(100, 100 - 3 - 44 + 1)), []);
  assert.match((await check(member, budget(100, 100 - 3 - 44 + 2)))[0] ?? '', /no second node of this size/);
  assert.deepEqual(await check(alone, budget(100, 77)), []);
});

test('an embedded PostgreSQL allows what a machine of many processors takes', () => {
  assert.deepEqual(embeddedSettings(alone), {});
  assert.deepEqual(embeddedSettings(configFrom({ workers: 127 })), { max_connections: '442' });
});

test('a running node has no more connections than it counted', async (t) => {
  const node = await startTestNode(t, { config: { workers: 2 }, storage: { readConnections: 2 } });
  const client = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
  for (const doc of ['acme/a', 'acme/b', 'acme/c', 'acme/d']) {
    await client.open(doc, 'json');
    await client.submit(doc, 1, [{ op: 'add', path: '/x', value: 1 }], 0);
  }
  const admin = postgres(node.storageUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  t.after(() => admin.end({ timeout: 1 }));
  const [row] = await admin<{ count: number }[]>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'troupe:%'`;
  const { total } = connectionsOf(configFrom({ workers: 2, storage: { readConnections: 2 } }));
  assert.ok((row?.count ?? 0) > 4 && (row?.count ?? 0) <= total, `${row?.count} of ${total}`);
});

test('serve ends with 1 and that line where the database has no room', async (t) => {
  const { code, stdout, stderr } = await troupe(
    t,
    ...['serve', '--set', 'listen.port=0', '--set', `storage.url=${await freshDatabase(t)}`],
    ...['--set', 'workers=6', '--set', 'storage.readConnections=100'],
  ).ended;
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(
    stderr,
    /^troupe: PostgreSQL has room for \d+ more connections and this node takes 617 \([^\n]*\n$/m,
  );
});
