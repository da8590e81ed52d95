// Chaos on real processes, short. chaos.long.ts has more faults, and `npm run test:chaos` runs all of them at
// full length.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, HELLO } from '../../cluster/peer/frames.ts';
import { introduce, LINK } from '../../cluster/peer/handshake.ts';
import { callerOf } from '../../loadtest/chaos/chaos-cluster.ts';
import { isWithin, Pauses } from '../../loadtest/chaos/chaos-pauses.ts';
import { killOwner } from '../../loadtest/chaos/faults/kills.ts';
import { keepsPromises, type Load } from './short-run.ts';

/**
 * One writer at each node for each of three documents, and a few other clients. Shards move slowly from the first node to
 * those that join. This run begins before each node has half of its part, so most documents are on the node that is
 * killed. chaos.long.ts waits until the shards are spread.
 */
const FEW: Load = { clients: 12, rate: 60, calmMs: 500, leastShare: 0.1 };

test('a node is killed: no acknowledged edit is lost or doubled, and the others go on', async (t) => {
  const [killed] = await keepsPromises(t, [killOwner], FEW);
  assert.ok((killed?.acknowledged ?? 0) > 100, 'edits are made');
  assert.equal(killed?.seen[0]?.fences.runs, 1, 'a killed node is fenced, once');
  const { repeated = 0, matched = 0, refused = 0 } = killed?.http ?? {};
  assert.ok(repeated > 0, 'some writes over HTTP are sent again under their key');
  assert.ok(matched + refused > 0, 'some writes have an If-Match');
});

test('the proxies know who dials by the hello of the links between nodes', () => {
  const bytes: Uint8Array[] = [];
  const wire = {
    bufferedBytes: 0,
    start: () => undefined,
    hold: () => undefined,
    finish: () => undefined,
    destroy: () => undefined,
    send: (type: number, stream: number, payload: Uint8Array<ArrayBuffer>) => {
      if (type === HELLO) bytes.push(...encodeFrame(type, stream, payload));
    },
  };
  const identity = { cluster: 'a cluster', node: 'node-2', run: 'run' };
  const context = {
    identity,
    secret: 'x',
    channel: new Uint8Array(),
    randomBytes: (n: number) => new Uint8Array(n),
  };
  introduce(wire, context, LINK, new Uint8Array(16), () => undefined);
  assert.equal(callerOf(Buffer.concat(bytes)), 'node-2');
});

test('a pause is the time between two commits that somebody saw who counts', () => {
  let now = 0;
  const pauses = new Pauses(() => now);
  const see = (at: number, observer: string, version: number) => {
    now = at;
    pauses.committed('doc', observer, version);
  };
  see(0, 'a', 1);
  see(100, 'a', 2);
  see(150, 'b', 2);
  see(400, 'b', 3);
  see(900, 'a', 3);
  see(950, 'b', 4);
  const longest = (observers: string[], fromMs: number, toMs: number) =>
    pauses.longest({ docs: ['doc'], observers: new Set(observers), fromMs, toMs });
  assert.deepEqual(longest(['a', 'b'], 0, 950), [550], 'the first to see it counts');
  assert.deepEqual(longest(['a', 'b'], 0, 400), [300], 'what begins later does not');
  assert.deepEqual(longest(['a'], 0, 2000), [1100], 'one that has not ended counts so far');
  assert.deepEqual(longest(['c'], 0, 2000), [], 'nobody was there to see it');
});

test('a bound on pauses is of the worst, or of all but the worst hundredth, and not of the time in which nothing was measured', () => {
  const pauses = [...Array.from({ length: 199 }, () => 100), 400];
  assert.ok(isWithin({ of: 'p99', ms: 250 }, pauses, 0));
  assert.ok(!isWithin({ of: 'max', ms: 250 }, pauses, 0));
  assert.ok(!isWithin({ of: 'p99', ms: 100 }, pauses, 0));
  assert.ok(isWithin({ of: 'max', ms: 250 }, pauses, 151));
});
