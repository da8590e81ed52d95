// The dials to a run make the moves of their table only: wires that answer a dial twice are found out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PEER_LIMITS, type PeerIdentity } from '../../../cluster/peer/network.ts';
import { Peers } from '../../../cluster/peer/peers.ts';
import type { DialResult, Wires } from '../../../cluster/peer/wire.ts';
import { Scheduler } from '../../sim/scheduler.ts';

test('a dial that is answered twice throws, and so does one that is answered after its end', async () => {
  const scheduler = new Scheduler();
  const identity: PeerIdentity = { cluster: 'tests', node: 'a', run: 'a' };
  let answer: (result: DialResult) => void = () => undefined;
  const wires: Wires = {
    identity,
    listen: async () => ({ host: 'a', port: 1 }),
    dial: (_target, _timeoutMs, done) => {
      answer = done;
      return () => undefined;
    },
    probe: () => () => undefined,
    close: async () => undefined,
  };
  const peers = new Peers({
    wires,
    clock: scheduler,
    random: () => 0.5,
    limits: PEER_LIMITS,
    log: () => undefined,
  });
  const dial = peers.dial({ run: 'b', address: { host: 'b', port: 1 } });
  await scheduler.run({ until: () => false, untilMs: 1 });
  answer({ type: 'refused' });
  assert.throws(() => answer({ type: 'refused' }), /the dial to run b does not go from waiting to waiting/);
  dial.close();
  assert.throws(() => answer({ type: 'refused' }), /from closed to waiting/);
});
