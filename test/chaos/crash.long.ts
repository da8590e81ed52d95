// The crash run, short: `npm run test:crash` is the long one. chaos.test.ts kills the owner in a cluster.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashRun } from '../../loadtest/crash/crash.ts';
import { withNode } from '../../loadtest/nodes/temporary-node.ts';

test('kill -9 of node and PostgreSQL under load loses no acknowledged edit, doubles none, and leaves no gap', async () => {
  await withNode(undefined, [], async (_, node) => {
    assert.ok(node !== undefined);
    const result = await crashRun({ node, rounds: 2, secondsPerRound: 1, seed: 1 });
    assert.deepEqual(result.violations, []);
    assert.ok(result.acknowledged > 0);
    assert.ok(result.resent > 0, 'a kill under load leaves submits without an answer');
    assert.ok(result.repeated > 0, 'lost answers make clients send again what has committed');
    assert.ok(result.repeatedToNextNode > 0, 'also to a node that did not commit it');
    assert.equal(result.pausesMs.length, 2);
  });
});
