// A node whose fence is refused: if it is fenced itself, its run is over; if it is draining, it lives on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock as clock, systemClock } from '../../../actors/clock.ts';
import { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import { Members } from '../../../cluster/liveness/members.ts';
import { Takeover } from '../../../cluster/liveness/takeover.ts';
import { MemoryRedis } from '../../doubles/lease-store-memory.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';

async function stage(t: { after(close: () => Promise<void>): void }) {
  const store = createMemoryDatabase().control();
  const me = await store.openSession({ run: 'me', node: 'a', slot: -1, address: 'a:1' });
  const other = await store.openSession({ run: 'other', node: 'b', slot: -1, address: 'b:1' });
  const members = new Members();
  members.sync((await store.sessions()).filter(({ run }) => run !== 'me'));
  const leases = new MemoryRedis({ clock: systemClock, random: () => 0.5 }).connect('a');
  t.after(() => leases.close());
  const told: string[] = [];
  let tell = (): void => undefined;
  const takeover = new Takeover({
    counts: new ThreadCounts(),
    run: 'me',
    session: me,
    store,
    leases,
    clock,
    members,
    log: () => undefined,
    probe: () => undefined,
    tell: () => undefined,
    onFenced: (run) => {
      told.push(`fenced ${run}`);
      tell();
    },
    onSelfFenced: () => {
      told.push('over');
      tell();
    },
  });
  /** Carries out the takeover after the other's death. */
  const death = () =>
    new Promise<readonly string[]>((resolve) => {
      tell = () => resolve(told);
      takeover.predecessor('other');
    });
  return { store, me, other, told, takeover, death };
}

test('a live node fences a dead one', async (t) => {
  const { death } = await stage(t);
  assert.deepEqual(await death(), ['fenced other']);
});

test('a node that was fenced itself is over', async (t) => {
  const { store, me, other, death } = await stage(t);
  await store.fence(other, { session: me.id });
  assert.deepEqual(await death(), ['over']);
});

test('a draining node leaves the fencing to others, and is not over', async (t) => {
  const { store, me, other, told, takeover } = await stage(t);
  await store.setState(me, 'draining');
  takeover.predecessor('other');
  // The takeover asks twice, and these questions come before its own.
  for (let question = 0; question < 3; question++) await store.sessionState(me.id);
  assert.deepEqual(told, []);
  assert.equal(await store.sessionState(other.id), 'live');
});
