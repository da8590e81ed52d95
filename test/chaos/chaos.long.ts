// Chaos on real processes with the faults for which chaos.test.ts has no time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freezeOwner, killOwner, slowTurns } from '../../loadtest/chaos/faults/kills.ts';
import { rollingRestart } from '../../loadtest/chaos/faults/restarts.ts';
import { poison } from '../../loadtest/chaos/faults/workers.ts';
import { keepsPromises } from './short-run.ts';

test('a node is killed, one stands still, a document kills workers, turns take long, a node is restarted: no acknowledged edit is lost or doubled, and the others go on', async (t) => {
  const results = await keepsPromises(t, [killOwner, freezeOwner, poison, slowTurns, rollingRestart]);
  const [killed, frozen, poisoned, slow, restarted] = results;
  assert.ok((killed?.acknowledged ?? 0) > 100, 'edits are made');
  assert.equal(killed?.seen[0]?.fences.runs, 1, 'a killed node is fenced, once');
  assert.equal(frozen?.seen[0]?.fences.runs, 1, 'one that stands still likewise');
  const { runs, workers } = poisoned?.seen[0]?.fences ?? { runs: -1, workers: -1 };
  assert.equal(runs, 0, 'no node dies of a document');
  // A fourth worker may have the document before the third death has been reported.
  assert.ok(workers === 3 || workers === 4, `${workers} workers die of it`);
  assert.equal(slow?.seen[0]?.fences.runs, 0, 'a node that takes its time is not dead');
  assert.equal(restarted?.seen[0]?.fences.runs, 0, 'a node that leaves in good order is not fenced');
});
