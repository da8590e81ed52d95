// More wrong arguments, and runs of the attack commands that end early: the target goes away, or a signal comes.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import postgres from 'postgres';
import { startTestNode } from '../support/node.ts';
import { until } from '../support/until.ts';
import { areRefused, isOutOfReach, npmRun, root } from './npm-run.ts';

test('more wrong arguments are one line with a hint, and exit code 2', (t) =>
  areRefused(t, [
    ['test:crash', ['--rounds', '0']],
    ['test:chaos', ['--fault', 'foo']],
    ['costly', ['--shapes', 'nope']],
    ['work', ['--filter', 'nope']],
    ['stored', []],
    ['presence', ['--nope']],
    ['garbage', ['--frames=-1']],
    ['loadtest', []],
    ['loadtest', ['smoke', '--nodes', '0']],
    ['loadtest', ['smoke', '--nodes', '2', '--target', 'http://x']],
    ['loadtest', ['smoke', '--compare', 'nope.json']],
    ['replay', []],
    ['replay', [join(root, 'package.json')]],
    ['stored', ['nope.json']],
  ]));

test('no command reaches a target that does not answer: one line and exit code 1', async (t) => {
  for (const name of ['costly', 'presence']) await isOutOfReach(t, name);
});

test('a run whose target goes away ends with one line and exit code 1', async (t) => {
  const node = await startTestNode(t);
  const running = npmRun(t, 'garbage', '--frames', '100000000', '--target', node.url);
  await untilBystandersEdit(node.storageUrl, 1);
  await node.stop();
  const { code, stderr } = await running.ended;
  assert.deepEqual([code, stderr], [1, `the run is over: ${node.socketUrl} does not answer: ECONNREFUSED\n`]);
});

test('SIGINT ends a run with what was measured, and exit code 130', async (t) => {
  const node = await startTestNode(t);
  const anyTime = ['--p99', '600000'];
  const garbage = npmRun(t, 'garbage', '--frames', '100000000', '--target', node.url, ...anyTime);
  const costly = npmRun(t, 'costly', '--seconds', '600', '--clients', '2', '--target', node.url, ...anyTime);
  await untilBystandersEdit(node.storageUrl, 2);
  for (const { child } of [garbage, costly]) child.kill('SIGINT');
  const ended = await Promise.all([garbage.ended, costly.ended]);
  for (const { code, stdout, stderr } of ended) {
    assert.equal(code, 130, stdout + stderr);
    assert.match(stdout, /bystanders: \d+ edits[\s\S]*the (bystanders|others) noticed nothing$/);
    assert.match(stderr, /^Ending, with what was measured so far\./);
  }
});

/** Waits until the bystanders of so many runs have made edits. */
async function untilBystandersEdit(storageUrl: string, runs: number): Promise<void> {
  const sql = postgres(storageUrl, { max: 1, onnotice: () => undefined });
  await until(async () => {
    const orgs = await sql`SELECT DISTINCT org FROM document JOIN delta ON delta.doc = document.id
      WHERE name LIKE 'bystander-%' AND last > 20`;
    return orgs.length === runs;
  });
  await sql.end();
}
