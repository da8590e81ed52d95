// The lifecycles of the connection and of a document make the moves of their tables only. A timer that runs although
// it was cleared asks for another move: the document, or the connection, ends, and nothing is sent on a wrong state.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientOptions } from '../../client/index.ts';
import type { Platform, Timer } from '../../client/platform.ts';
import { Harness, heard } from './harness.ts';

/** A client. Timers for which `keeps` is true are not cleared. */
function careless(options: Partial<ClientOptions> = {}) {
  const h = new Harness();
  const inner = h.time.platform(h.random);
  const control = { keeps: (_delayMs: number) => false, reached: () => {} };
  const delays = new Map<Timer, number>();
  const platform: Platform = {
    ...inner,
    setTimer: (run, delayMs) => {
      const timer = inner.setTimer(run, delayMs);
      delays.set(timer, delayMs);
      return timer;
    },
    clearTimer: (timer) => {
      if (!control.keeps(delays.get(timer) ?? 0)) inner.clearTimer(timer);
    },
    onReachable: (run) => {
      control.reached = run;
      return () => {};
    },
  };
  return { h, control, client: h.client({ platform, ...options }) };
}

test('a document that would open while it is open ends with an internal error, and its client goes on', () => {
  const { h, control, client } = careless();
  const other = client.open('acme/other', 'rich-text');
  h.settle();
  const doc = client.open('acme/plan', 'rich-text');
  const closed: unknown[] = [];
  doc.on('closed', (end) => closed.push(end));
  h.settle();
  const later = { code: 'not-open', message: 'later', retryable: true, retryAfterMs: 10_000 } as const;
  h.socketOf(client).deliver({ type: 'error', ...later, doc: 'acme/plan' });
  // The client itself comes back at once.
  h.socketOf(client).deliver({ type: 'error', code: 'unavailable', message: 'now', retryable: true });
  h.settle(100);
  assert.equal(doc.state, 'connecting');
  // The time after which the document asks again.
  control.keeps = (delayMs) => delayMs >= 10_000 && delayMs < 11_000;
  h.server.dropAll();
  h.settle(3_000);
  assert.deepEqual([client.state, doc.state], ['live', 'live']);
  h.settle(12_000);
  assert.equal(doc.state, 'closed');
  assert.match(JSON.stringify(closed), /"internal".*from open to opening/);
  assert.deepEqual([client.state, other.state], ['live', 'live']);
});

test('a connection that would dial while it is live ends, and reports an internal error', () => {
  const { h, control, client } = careless();
  h.server.unreachable = true;
  client.open('acme/plan', 'rich-text');
  // The waits grow, so the last one is long.
  h.settle(60_000);
  const errors = heard(client, 'error');
  control.keeps = () => true;
  h.server.unreachable = false;
  control.reached();
  control.keeps = () => false;
  h.settle(100);
  assert.equal(client.state, 'live');
  h.settle(60_000);
  assert.equal(client.state, 'offline');
  assert.match(String(errors.at(-1)?.message), /from live to dialing/);
});
