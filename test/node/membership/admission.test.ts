// Nodes with a wrong configuration, started beside a cluster that serves: they end with one line that names
// the remedy, and the cluster does not notice. All use a real PostgreSQL and a real Redis. Nodes that are killed or
// signalled are processes; others run in the process of the test, which takes half the processor time.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createAuthority } from '../../cluster/peer/peer-certificates.ts';
import { untilSeen } from '../../support/until.ts';
import { startStage } from './admission-stage.ts';

const LIMIT = { timeout: 120_000 };
const PLACE = String.raw`node a at 127\.0\.0\.1:\d+`;

test(
  'a node of another cluster, of none, or with another secret or TLS is told so and touches nothing',
  LIMIT,
  async (t) => {
    const { of, node, refuses, runs } = await startStage(t);
    const log: string[] = [];
    const a = await node('a', (line) => log.push(JSON.stringify(line)));
    const before = await runs();
    await Promise.all([
      refuses(
        new RegExp(
          `^the database belongs to the cluster tests: ${PLACE} is of it, and this node is of other; see cluster\\.name and storage\\.url$`,
        ),
        ...of('b', 'cluster.name=other'),
      ),
      refuses(
        new RegExp(
          `^the database is used by the cluster tests, of which ${PLACE} is live: set cluster\\.redis and cluster\\.secret to join it, or stop it first$`,
        ),
        ...['workers=1', 'node.name=b'],
      ),
      refuses(
        new RegExp(
          `^${PLACE} does not take this node: cluster\\.secret differs, or one of the two has none$`,
        ),
        ...of('c', 'cluster.secret=another secret than theirs'),
      ),
      refuses(
        new RegExp(`^${PLACE} does not take this node: the connection ends .*; see cluster\\.link\\.tls, `),
        ...of('d', ...certificates(t)),
      ),
    ]);
    assert.deepEqual(await runs(), before, 'nobody was fenced, and nobody has come');
    const told = await untilSeen('the refusal of c', () =>
      log.find((line) => /"peer":"c".*"the connection of a node is refused"/.test(line)),
    );
    assert.match(told, /"reason":"authentication".*"see":"cluster\.secret"/);
    await a.stop();
    for (const line of log) assert.doesNotMatch(line, /undefined undefined|was fenced|is fenced/);
  },
);

test(
  'of two nodes of one name the second is refused, unless the first is about to leave',
  LIMIT,
  async (t) => {
    const { of, node, serve, serving } = await startStage(t);
    const log: string[] = [];
    const first = await node('a', (line) => log.push(JSON.stringify(line)));
    const { code, stderr } = await serve(...of('a')).ended;
    assert.equal(code, 78, stderr);
    const said = stderr.split('\n').filter((text) => text !== '' && !text.startsWith('{'));
    assert.equal(said.length, 1, stderr);
    assert.match(
      said[0] ?? '',
      /^troupe: another node is called a: node a at \S+ is live; give each node a node\.name of its own, or stop that one$/,
    );
    const successor = serving(...of('a'));
    await first.stop();
    await successor;
    for (const line of log) assert.doesNotMatch(line, /undefined undefined|was fenced|is fenced/);
  },
);

test('a node that was alone is on record no more when it has ended', LIMIT, async (t) => {
  const { alone, runs } = await startStage(t);
  const node = await alone('a');
  assert.equal((await runs()).length, 1);
  await node.stop();
  assert.deepEqual(await runs(), []);
});

test(
  'a cluster leaves a node alone that lives without one, and takes over the documents of one that was killed',
  LIMIT,
  async (t) => {
    const { of, node, serving, refuses, shards } = await startStage(t);
    const lone = await serving('workers=1', 'node.name=lone');
    await refuses(
      /^the database is used by node lone, which is alone, without cluster\.redis: stop it first$/,
      ...of('a'),
    );
    lone.child.kill('SIGKILL');
    await lone.ended;
    await node('a');
    assert.deepEqual(await shards(), ['a']);
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
