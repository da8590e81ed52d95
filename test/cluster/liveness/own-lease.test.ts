// A node's lease about itself: its state makes legal moves only, and its timeline never falls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnLease } from '../../../cluster/liveness/own-lease.ts';

const lease = () =>
  new OwnLease({ run: 'run-a', node: 'a', address: 'a:1', session: 1, weight: 2 }, () => [
    [0, { session: 7 }],
    [1, { session: 8 }],
  ]);

test('the lease names the run, its state and the workers that are up', () => {
  assert.deepEqual(lease().current(), {
    run: 'run-a',
    node: 'a',
    address: 'a:1',
    session: 1,
    weight: 2,
    state: 'joining',
    workers: [
      { slot: 0, session: 7 },
      { slot: 1, session: 8 },
    ],
    timeline: 0,
  });
});

test('a node that leaves does not serve again, and one that serves does not join again', () => {
  const own = lease();
  own.setState('live');
  assert.throws(() => own.setState('joining'), /from live to joining/);
  assert.throws(() => own.setState('live'), /from live to live/);
  own.setState('draining');
  own.setState('draining');
  assert.throws(() => own.setState('live'), /from draining to live/);
  assert.equal(own.current().state, 'draining');
});

test('a timeline is news only if it is higher than all before', () => {
  const own = lease();
  assert.equal(own.raiseTimeline(3), true);
  assert.equal(own.raiseTimeline(3), false);
  assert.equal(own.raiseTimeline(2), false);
  assert.equal(own.current().timeline, 3);
});
