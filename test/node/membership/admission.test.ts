// Nodes with a wrong configuration, started beside a cluster that serves: they end with one line that names
// the remedy, and the cluster does not notice. All are processes on a real PostgreSQL and a real Redis.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Ended, serve, serving } from '../../cli/spawn.ts';
import { createAuthority } from '../../cluster/peer/peer-certificates.ts';
import { ends, startStage } from './admission-stage.ts';

const LIMIT = { timeout: 120_000 };

test(
  'a node of another cluster, of none, or with another secret or TLS is told so and touches nothing',
  LIMIT,
  async (t) => {
    const { databaseUrl, of, runs } = await startStage(t);
    const a = await serving(t, databaseUrl, ...of('a'));
    const before = await runs();
    const refused = (...settings: string[]): Promise<Ended> => serve(t, databaseUrl, ...settings).ended;
    const [cluster, alone, secret, tls] = await Promise.all([
      refused(...of('b', 'cluster.name=other')),
      refused('--set', 'workers=1', '--set', 'node.name=b'),
      refused(...of('c', 'cluster.secret=another secret than theirs')),
      refused(...of('d', ...certificates(t))),
    ]);
    const place = String.raw`node a at 127\.0\.0\.1:\d+`;
    ends(
      cluster,
      new RegExp(
        `^the database belongs to the cluster tests: ${place} is of it, and this node is of other; see cluster\\.name and storage\\.url$`,
      ),
    );
    ends(
      alone,
      new RegExp(
        `^the database is used by the cluster tests, of which ${place} is live: set cluster\\.redis and cluster\\.secret to join it, or stop it first$`,
      ),
    );
    ends(
      secret,
      new RegExp(`^${place} does not take this node: cluster\\.secret differs, or one of the two has none$`),
    );
    ends(
      tls,
      new RegExp(`^${place} does not take this node: the connection ends .*; see cluster\\.link\\.tls, `),
    );
    assert.deepEqual(await runs(), before, 'nobody was fenced, and nobody has come');
    const told = await a.told(/"peer":"c".*"the connection of a node is refused"/);
    assert.match(told.input, /"reason":"authentication".*"see":"cluster\.secret"/);
    a.child.kill('SIGTERM');
    const { code, stderr } = await a.ended;
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /undefined undefined|was fenced|is fenced/);
  },
);

test(
  'of two nodes of one name the second is refused, unless the first is about to leave',
  LIMIT,
  async (t) => {
    const { databaseUrl, of } = await startStage(t);
    const first = await serving(t, databaseUrl, ...of('a'));
    const second = await serve(t, databaseUrl, ...of('a')).ended;
    ends(
      second,
      /^another node is called a: node a at \S+ is live; give each node a node\.name of its own, or stop that one$/,
    );
    const successor = serving(t, databaseUrl, ...of('a'));
    first.child.kill('SIGTERM');
    await successor;
    assert.equal((await first.ended).code, 0);
  },
);

test('a node that was alone is on record no more when it has ended', LIMIT, async (t) => {
  const { databaseUrl, runs } = await startStage(t);
  const node = await serving(t, databaseUrl, '--set', 'workers=1', '--set', 'node.name=a');
  assert.equal((await runs()).length, 1);
  node.child.kill('SIGTERM');
  assert.equal((await node.ended).code, 0);
  assert.deepEqual(await runs(), []);
});

test(
  'a cluster leaves a node alone that lives without one, and takes over the documents of one that was killed',
  LIMIT,
  async (t) => {
    const { databaseUrl, of, shards } = await startStage(t);
    const alone = await serving(t, databaseUrl, '--set', 'workers=1', '--set', 'node.name=lone');
    const refused = serve(t, databaseUrl, ...of('a'));
    ends(
      await refused.ended,
      /^the database is used by node lone, which is alone, without cluster\.redis: stop it first$/,
    );
    alone.child.kill('SIGKILL');
    await alone.ended;
    const node = await serving(t, databaseUrl, ...of('a'));
    assert.deepEqual(await shards(), ['a']);
    node.child.kill('SIGTERM');
    assert.equal((await node.ended).code, 0);
  },
);

/** Settings with files that exist until the test has ended. */
function certificates(t: TestContext): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-tls-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return Object.entries(createAuthority('another cluster').issue('node')).map(([name, text]) => {
    const file = join(directory, name);
    writeFileSync(file, text);
    return `cluster.link.tls.${name}=${file}`;
  });
}
