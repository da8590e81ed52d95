// `npm run cluster` as a process whose terminal is closed, and one with a node that does not stop: no process
// that it has started outlives it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { launch, runs } from './launch.ts';

const LIMIT = { timeout: 120_000 };

test('a terminal that is closed ends everything', LIMIT, async (t) => {
  const cluster = await launch(t, 1);
  await cluster.line(/^The cluster is ready/);
  const children = cluster.children();
  cluster.child.stdout?.destroy();
  cluster.child.kill('SIGHUP');
  const [code, signal] = await once(cluster.child, 'exit');
  assert.deepEqual([code, signal], [0, null]);
  assert.deepEqual(children.filter(runs), []);
});

test('told again, a second later, it waits for nobody and leaves nobody', LIMIT, async (t) => {
  const cluster = await launch(t, 1);
  const [, node = ''] = await cluster.line(/^node-1: .*\(process (\d+)\)/);
  await cluster.line(/^The cluster is ready/);
  const children = cluster.children();
  // The node does not stop by itself.
  process.kill(Number(node), 'SIGSTOP');
  const again = setInterval(() => cluster.child.kill('SIGINT'), 100);
  const { code } = await cluster.ended;
  clearInterval(again);
  assert.equal(code, 130);
  while (children.some(runs)) await new Promise((look) => setTimeout(look, 10));
});
