// Leases that nodes report before the database shows their runs: they are kept until it does, and dropped if
// it never does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MOST_PENDING_LEASES,
  PENDING_LEASE_MS,
  PendingLeases,
} from '../../../cluster/liveness/pending-leases.ts';
import { lease } from './lease-store-contract.ts';

test('the last news of a run are kept until they are asked for', () => {
  const early = new PendingLeases();
  early.keep(lease({ run: 'a' }), 0);
  const last = lease({ run: 'a', weight: 7 });
  early.keep(last, 1);
  assert.equal(early.take('a'), last);
  assert.equal(early.take('a'), undefined);
});

test('runs that never appear make room for others after a while', () => {
  const early = new PendingLeases();
  for (let run = 0; run < MOST_PENDING_LEASES; run++) early.keep(lease({ run: `never-${run}` }), 0);
  const late = lease({ run: 'late' });
  early.keep(late, PENDING_LEASE_MS - 1);
  assert.equal(early.take('late'), undefined);
  early.keep(late, PENDING_LEASE_MS);
  assert.equal(early.take('never-0'), undefined);
  assert.equal(early.take('late'), late);
});
