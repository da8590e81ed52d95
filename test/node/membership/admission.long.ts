// Nodes at one address, and nodes that do not reach each other: the next node waits for answers that do not
// come. All are processes on a real PostgreSQL and a real Redis.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve, serving } from '../../cli/spawn.ts';
import { ends, startStage } from './admission-stage.ts';

const LIMIT = { timeout: 120_000 };

test(
  'a second node at one address is refused while the first lives, and not once it was killed',
  LIMIT,
  async (t) => {
    const { databaseUrl, of, runs } = await startStage(t);
    const at = (node: string): string[] => of(node, 'cluster.advertise=127.0.0.1:1');
    const first = await serving(t, databaseUrl, ...at('a'));
    const before = await runs();
    ends(
      await serve(t, databaseUrl, ...at('b')).ended,
      /^node a is live and has the address of this node, 127\.0\.0\.1:1: give each node its own cluster\.advertise, /,
    );
    assert.deepEqual(await runs(), before, 'nobody was fenced, and nobody has come');
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await serving(t, databaseUrl, ...at('b'));
    assert.deepEqual(
      (await runs()).map(({ node }) => node),
      ['b'],
      'it was fenced by who came after it',
    );
    second.child.kill('SIGTERM');
    assert.equal((await second.ended).code, 0);
  },
);

test(
  'nodes that do not reach each other are ready after a while, and say whom they do not reach; nobody is fenced',
  LIMIT,
  async (t) => {
    const { databaseUrl, of, runs } = await startStage(t);
    const a = await serving(t, databaseUrl, ...of('a', 'cluster.advertise=127.0.0.1:1'));
    const [before] = await runs();
    const b = await serving(t, databaseUrl, ...of('b', 'cluster.advertise=127.0.0.1:2'));
    await b.told(
      /"nodes":\["a at 127\.0\.0\.1:1"\].*"some documents are not reached: see cluster\.advertise/,
    );
    await Promise.race(
      [a, b].map((node) =>
        // Chance decides which of the two dials the other.
        node.told(/"address":"127\.0\.0\.1:[12]".*"a node is not reached where it says that it is"/),
      ),
    );
    const after = await runs();
    assert.deepEqual(after.map(({ node }) => node).sort(), ['a', 'b']);
    assert.ok(after.some(({ run }) => run === before?.run));
    for (const node of [b, a]) {
      node.child.kill('SIGTERM');
      assert.equal((await node.ended).code, 0);
    }
  },
);
