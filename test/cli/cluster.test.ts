// The commands of a cluster beside two nodes that are processes: their output, their effects and their exit
// codes.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { shardOf } from '../../actors/shard.ts';
import { run } from '../../src/cli/cli.ts';
import type { PinView } from '../../src/cli/cluster/pins-view.ts';
import type { ClusterStatus } from '../../src/cli/cluster/status.ts';
import { freshDatabase } from '../support/postgres.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until, untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { type Ended, serving } from './spawn.ts';

const LIMIT = { timeout: 200_000 };
const SECRET = 'a secret of the tests';

test('status, pins, moves and drains of a cluster of two', LIMIT, async (t) => {
  const cluster = await startCluster(t);
  const { command, statusOf, a, b, admin } = cluster;

  await t.test('status tells nodes, shards and leases, for people and for programs', async () => {
    const status = await leasesSeen(cluster, 2);
    assert.deepEqual(
      status.nodes.map(({ node, state, lease, workers, weight }) => ({
        node,
        state,
        lease,
        workers,
        weight,
      })),
      [
        { node: 'a', state: 'live', lease: true, workers: 2, weight: 1 },
        { node: 'b', state: 'live', lease: true, workers: 1, weight: 1 },
      ],
    );
    assert.equal(
      status.nodes.reduce((sum, { shards }) => sum + shards, 0),
      4096,
    );
    assert.deepEqual([status.shards.all, status.shards.unowned], [4096, 0]);
    for (const node of status.nodes) {
      assert.deepEqual([node.clients, node.documents, node.editsPerSecond], [0, 0, 0], node.node);
      assert.ok((node.uptimeMs ?? 0) > 0, node.node);
      const moving = Object.values(node.moving ?? {}).reduce((sum, count) => sum + count, 0);
      assert.ok(moving <= node.shards, node.node);
    }
    assert.deepEqual(status.redis, { reachable: true, reason: null });
    const { code, stdout } = await command('status');
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^Cluster tests: 2 nodes; 4,096 shards, each with an owner(, [\d,]+ on the move)?\n/,
    );
    assert.match(
      stdout,
      /^NODE +STATE +LEASE +CLIENTS +DOCUMENTS +EDITS\/S +UPTIME +WORKERS +SHARDS +MOVING +ADDRESS +RUN$/m,
    );
    assert.match(
      stdout,
      /^a +live +seen +0 +0 +0 +(\d+m )?\d+s +2 +\d+ +(none|\d+ to b) +127\.0\.0\.1:\d+ +[0-9a-f-]{36}$/m,
    );
  });

  await t.test('status tells the clients, documents and edits of each node', async () => {
    const client = await WireClient.connect(t, a.socketUrl, { client: 'client-st' });
    await client.open('figures/one', 'json');
    for (let seq = 1; seq <= 20; seq++)
      await client.submit('figures/one', seq, [{ op: 'add', path: '/x', value: seq }], seq - 1);
    const { nodes } = await untilSeen('an edit and a document', async () => {
      const found = await statusOf();
      return found.nodes.some((node) => node.documents === 1 && (node.editsPerSecond ?? 0) > 0) && found;
    });
    assert.deepEqual(
      nodes.map((node) => node.clients),
      [1, 0],
    );
    client.close();
  });

  await t.test('move: a shard, and the one of a document, is there when the command ends', async () => {
    for (const [node, what, shard] of [
      ['b', '17', 17],
      ['a', 'shard:17', 17],
      ['b', 'acme/plan', shardOf('acme/plan')],
    ] as const) {
      const { code, stdout, stderr } = await command('move', what, node);
      assert.deepEqual([code, stderr], [0, '']);
      assert.equal(
        stdout,
        `Shard ${shard} is on ${node}, and stays until: troupe cluster unpin shard:${shard}`,
      );
      assert.equal((await ownerOf(admin, shard))?.node, node);
    }
    const { stdout } = await command('pins');
    assert.match(stdout, /^shard:17 +a +any +operator +1 +none$/m);
  });

  await t.test('pin: an organisation goes where it is pinned to, also onto one worker', async () => {
    const client = await WireClient.connect(t, a.socketUrl, { client: 'client-aa' });
    await client.open('acme/plan', 'json');
    await client.open('acme/list', 'json');
    const shards = ['acme/plan', 'acme/list'].map(shardOf);
    // The pin of the shard, set by the move, has precedence over the organisation's.
    const pinned = await command('pin', 'acme', 'a:1');
    assert.deepEqual(
      [pinned.code, pinned.stdout],
      [0, 'acme is pinned to worker 1 of a: 1 shard (1 shard pinned elsewhere)'],
    );
    const [shard] = shards;
    const moved = await command('unpin', 'acme/plan');
    assert.deepEqual([moved.code, moved.stdout], [0, `shard:${shard} is not pinned any more`]);
    const again = await command('unpin', 'acme/plan');
    assert.deepEqual(
      [again.code, again.stderr],
      [1, `troupe: no operator has pinned acme/plan or shard:${shard}\n`],
    );
    await ownedBy(admin, shards, 'a', 1);
    assert.equal((await command('pin', 'acme', 'a:0')).code, 0);
    await ownedBy(admin, shards, 'a', 0);
    const answer = await client.submit('acme/list', 1, [{ op: 'add', path: '/x', value: 1 }], 0);
    assert.equal(answer.type, 'commit');
    client.close();
  });

  await t.test('pins: their owners, and the messages about wrong ones', async () => {
    const forced = await command('pin', 'other', 'nowhere', '--force');
    assert.deepEqual(
      [forced.code, forced.stdout],
      [0, 'other is pinned to nowhere: 0 shards (nowhere is not there)'],
    );
    const configured = ['--set', 'cluster.pins=[{match: acme, node: b}, {match: third, node: a, slot: 9}]'];
    const { stdout } = await command('pins', '--json', ...configured);
    const told = (JSON.parse(stdout) as PinView[]).map(({ match, node, slot, source, problems }) => [
      match,
      node,
      slot,
      source,
      problems,
    ]);
    assert.deepEqual(told, [
      ['shard:17', 'a', null, 'operator', []],
      ['acme', 'a', 0, 'operator', []],
      ['other', 'nowhere', null, 'operator', ['nowhere is not there']],
      ['third', 'a', 9, 'configuration', ['a has no worker 9']],
    ]);
    const unpinned = await command('unpin', 'acme', ...configured);
    assert.equal(
      unpinned.stdout,
      'acme is not pinned any more; that of the configuration, to b, holds again',
    );
    const again = await command('unpin', 'acme', ...configured);
    assert.deepEqual(
      [again.code, again.stderr],
      [1, 'troupe: no operator has pinned acme; its pin stands in the configuration, cluster.pins\n'],
    );
  });

  await t.test('a missing service is one clear line and exit code 1', async () => {
    for (const [args, line] of [
      [['drain', 'c'], 'there is no node c: there are a, b'],
      [['move', '1', 'c'], 'there is no node c: there are a, b'],
      [['move', '4096', 'a'], 'there is no shard 4096: shards are 0 to 4095'],
      [['pin', 'shard:4096', 'a'], 'there is no shard 4096: shards are 0 to 4095'],
      [['pin', 'acme', 'c'], 'there is no node c: there are a, b'],
      [['unpin', '4096'], 'no operator has pinned shard:4096 or 4096'],
    ] as const) {
      const { code, stdout, stderr } = await command(...args);
      assert.deepEqual([code, stdout, stderr], [1, '', `troupe: ${line}\n`], args.join(' '));
    }
  });

  await t.test(
    'clients of a node that has too many are sent to the other, once, and closed where they stay',
    async () => {
      const clients = await Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          WireClient.connect(t, a.socketUrl, { client: `crowd-${String(i).padStart(8, '0')}` }),
        ),
      );
      const told = await Promise.any(
        clients.map(async (client) => {
          await client.next('draining');
          return client;
        }),
      );
      assert.deepEqual(await told.untilClosed(), { code: 1012, reason: 'another node has room' });
      const again = await WireClient.connect(t, a.socketUrl, { client: told.id ?? '' });
      const others = clients.filter((client) => client !== told);
      // Clients above the tolerance are sent away and the others stay. A client that came back is not sent
      // away again.
      while (others.filter(({ closed }) => closed !== undefined).length < 5)
        await Promise.any(
          others.filter(({ closed }) => closed === undefined).map((client) => client.untilClosed()),
        );
      await again.settled();
      assert.equal(again.received.length, 0);
      for (const client of [...clients, again]) client.close();
    },
  );

  await t.test('release: every node answers, also of a document that none has quarantined', async () => {
    const { code, stdout, stderr } = await command('release', 'acme/plan');
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(stdout, 'acme/plan was not quarantined on any node; its failures are forgotten.');
  });

  await t.test(
    'READY-1 drain: shards and clients leave, the node is unready and stays until it is stopped',
    async () => {
      const client = await WireClient.connect(t, b.socketUrl, { client: 'client-bb' });
      await client.open('acme/plan', 'json');
      const drained = command('drain', 'b');
      const told = await client.next('draining');
      assert.ok(typeof told.reconnectInMs === 'number' && told.reconnectInMs < 5000);
      client.close();
      const { code, stdout, stderr } = await drained;
      assert.deepEqual([code, stderr], [0, '']);
      const lines = stdout.split('\n');
      assert.match(lines[0] ?? '', /^b: [\d,]+ shards, no answer yet$/);
      assert.equal(lines.at(-1), 'b is drained: no shards, no clients. It runs until it is stopped.');
      const [first, second] = (await leasesSeen(cluster, 2)).nodes;
      assert.deepEqual([first?.state, first?.shards], ['live', 4096]);
      assert.deepEqual([second?.state, second?.shards, second?.lease], ['draining', 0, true]);
      const unready = await fetch(new URL('/readyz', b.url));
      assert.deepEqual(
        [unready.status, await unready.json()],
        [503, { code: 'unavailable', message: 'the node is leaving', retryable: true }],
      );
      assert.equal((await fetch(new URL('/healthz', b.url))).status, 200);
      assert.equal((await command('drain', 'b')).code, 0, 'again');
      const onto = await command('move', '1', 'b');
      assert.deepEqual([onto.code, onto.stderr], [1, 'troupe: b drains: it takes no shards any more\n']);
      const last = await command('drain', 'a');
      assert.deepEqual(
        [last.code, last.stderr],
        [1, 'troupe: a is the only node that takes shards: nobody would take its own\n'],
      );
      b.child.kill('SIGTERM');
      assert.equal((await b.ended).code, 0);
    },
  );

  await t.test('without Redis, status tells what the database knows', async () => {
    await cluster.redis.kill();
    const status = await statusOf();
    assert.equal(status.redis?.reachable, false);
    assert.deepEqual(
      status.nodes.map(({ node, state, lease, shards }) => [node, state, lease, shards]),
      [['a', 'live', null, 4096]],
    );
    const { code, stdout } = await command('status');
    assert.equal(code, 0);
    assert.match(stdout, /^Redis is not reached: .+$/m);
    assert.match(stdout, /^a +live +unknown /m);
  });

  await t.test('renew-history refuses while a node runs, and renews after it', async () => {
    const renew = (...args: string[]) =>
      commanded('storage', 'renew-history', '--set', `storage.url=${cluster.databaseUrl}`, ...args);
    const refused = await renew();
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(
      refused.stderr,
      /^troupe: nodes run on this database \(\d+ connections of theirs\): stop them first\..*\n$/,
    );
    // A restored backup has the session of a node that ran when the backup was made.
    a.child.kill('SIGKILL');
    await a.ended;
    await until(async () => {
      const [left] = await admin`
        SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'troupe:%'`;
      return left?.n === 0;
    });
    const renewed = await renew();
    assert.equal(renewed.code, 0, renewed.stderr);
    assert.match(
      renewed.stdout,
      /^The history is renewed \([0-9a-f]{12}\): clients load their documents anew\.$/,
    );
    assert.deepEqual((await statusOf()).nodes, []);
  });
});

test('commands of a cluster: an embedded database is 78, one that lacks migrations 1', LIMIT, async (t) => {
  const embedded = await commanded('cluster', 'status');
  assert.deepEqual([embedded.code, embedded.stdout], [78, '']);
  assert.match(embedded.stderr, /^troupe: an embedded PostgreSQL belongs to one node alone; [^\n]*\n$/);
  const url = await freshDatabase(t);
  const admin = adminOf(t, url);
  await admin`DELETE FROM troupe_migration WHERE name = '0003-pins'`;
  const lacking = await commanded('cluster', 'pins', '--set', `storage.url=${url}`);
  assert.deepEqual(
    [lacking.code, lacking.stderr],
    [1, 'troupe: the database lacks 1 migrations (0003-pins): run troupe migrate\n'],
  );
});

type Commanded = Pick<Ended, 'code' | 'stdout' | 'stderr'>;
type Node = Awaited<ReturnType<typeof startNode>>;

interface Cluster {
  readonly a: Node;
  readonly b: Node;
  readonly redis: TestRedis;
  readonly databaseUrl: string;
  readonly admin: postgres.Sql;
  /** Runs `troupe cluster …` to its end. */
  command(...args: string[]): Promise<Commanded>;
  statusOf(): Promise<ClusterStatus>;
}

async function startCluster(t: TestContext): Promise<Cluster> {
  const redis = await startTestRedis(t);
  const databaseUrl = await freshDatabase(t);
  const admin = adminOf(t, databaseUrl);
  const settings = [
    `cluster.redis=${redis.url}`,
    `cluster.secret=${SECRET}`,
    'cluster.name=tests',
    'cluster.link.port=0',
  ].flatMap((setting) => ['--set', setting]);
  const a = await startNode(t, databaseUrl, [...settings, '--set', 'node.name=a', '--set', 'workers=2']);
  const b = await startNode(t, databaseUrl, [...settings, '--set', 'node.name=b', '--set', 'workers=1']);
  const command = (...args: string[]) =>
    commanded('cluster', ...args, '--set', `storage.url=${databaseUrl}`, ...settings);
  const statusOf = async (): Promise<ClusterStatus> => {
    const { code, stdout, stderr } = await command('status', '--json');
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  return { a, b, redis, databaseUrl, admin, command, statusOf };
}

/** Runs the command line in this process: a process for each command would take most of the test's time. */
async function commanded(...args: string[]): Promise<Commanded> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const code = await run(args, {
    stdout: { write: (text) => stdout.push(text) },
    stderr: { write: (text) => stderr.push(text) },
    env: process.env,
  });
  return { code, stdout: stdout.join('').trimEnd(), stderr: stderr.join('') };
}

/**
 * The status once the leases of `count` nodes are in Redis. A node is ready before its first lease is there,
 * and on a busy machine a lease may lapse for a moment, so that one look proves nothing.
 */
async function leasesSeen({ statusOf }: Cluster, count: number): Promise<ClusterStatus> {
  let status = await statusOf();
  await until(async () => {
    status = await statusOf();
    return status.nodes.length === count && status.nodes.every(({ lease }) => lease === true);
  });
  return status;
}

async function startNode(t: TestContext, databaseUrl: string, settings: readonly string[]) {
  const node = await serving(t, databaseUrl, ...settings);
  return { ...node, socketUrl: new URL('/v1/socket', node.url.replace('http', 'ws')).href };
}

function adminOf(t: TestContext, url: string): postgres.Sql {
  const admin = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  t.after(() => admin.end({ timeout: 1 }));
  return admin;
}

async function ownerOf(
  admin: postgres.Sql,
  shard: number,
): Promise<{ node: string; slot: number } | undefined> {
  const [row] = await admin<{ node: string; slot: number }[]>`
    SELECT o.node, o.slot FROM shard s JOIN session o ON o.id = s.owner AND o.state <> 'fenced'
    WHERE s.id = ${shard}`;
  return row;
}

async function ownedBy(
  admin: postgres.Sql,
  shards: readonly number[],
  node: string,
  slot: number,
): Promise<void> {
  for (const shard of shards)
    await until(async () => {
      const owner = await ownerOf(admin, shard);
      return owner?.node === node && owner.slot === slot;
    });
}
