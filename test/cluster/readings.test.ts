// The readings of the cluster: one at a time with a pause between them; an action that is requested many
// times and runs once; the runs and sessions that a reading finds; and the map, which is read only when it
// may be wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHARDS } from '../../actors/shard.ts';
import type { ShardRow } from '../../actors/storage/store.ts';
import { Members } from '../../cluster/liveness/members.ts';
import { readSessions } from '../../cluster/liveness/session-reading.ts';
import { MapReading } from '../../cluster/shards/map-reading.ts';
import { ShardMap } from '../../cluster/shards/shard-map.ts';
import { DelayedAction } from '../../cluster/timing/delayed-action.ts';
import { SerialReading } from '../../cluster/timing/serial-reading.ts';
import { createMemoryDatabase } from '../doubles/store-memory.ts';
import { Scheduler } from '../sim/scheduler.ts';

const pass = (clock: Scheduler, ms: number) => clock.run({ until: () => false, untilMs: clock.now() + ms });

test('an action that is requested many times runs once, and again at the next request', async () => {
  const clock = new Scheduler();
  let runs = 0;
  const action = new DelayedAction(
    clock,
    () => 10,
    () => runs++,
  );
  for (let i = 0; i < 3; i++) action.request();
  assert.equal(action.isPending, true);
  await pass(clock, 9);
  assert.equal(runs, 0);
  await pass(clock, 100);
  assert.equal(runs, 1);
  action.request();
  action.stop();
  action.request();
  await pass(clock, 100);
  assert.equal(runs, 1);
});

test('requests during a reading cause one more reading, after a pause', async () => {
  const clock = new Scheduler();
  const times: number[] = [];
  const ended: unknown[] = [];
  const reading = new SerialReading({
    clock,
    gapMs: 20,
    read: async () => {
      times.push(clock.now());
      await new Promise<void>((resolve) => void clock.after(5, resolve));
      if (times.length === 1) throw new Error('away');
    },
    onEnd: (error) => ended.push(error),
  });
  reading.request();
  await pass(clock, 1);
  reading.request();
  reading.request();
  await pass(clock, 1000);
  const [first = 0] = times;
  assert.deepEqual(times, [first, first + 25]);
  assert.match(String(ended[0]), /away/);
  assert.equal(ended[1], undefined);
  reading.stop();
  reading.request();
  await pass(clock, 1000);
  assert.equal(times.length, 2);
});

test('a reading of the sessions names the runs that come and go, and sessions without a control plane', async () => {
  const database = createMemoryDatabase();
  const store = database.control();
  const members = new Members();
  const session = await store.openSession({ run: 'run-a', node: 'a', slot: -1, address: 'a:1' });
  const read = () => readSessions({ store, members, run: 'run-a', session });
  const own = await database.node().worker().open({ run: 'run-a', node: 'a', slot: 0 });
  const control = await database
    .node()
    .control()
    .openSession({ run: 'run-b', node: 'b', slot: -1, address: 'b:1' });
  const worker = await database.node().worker().open({ run: 'run-b', node: 'b', slot: 0 });
  const stray = await database.node().worker().open({ run: 'run-c', node: 'c', slot: 0 });

  const first = await read();
  assert.ok(first !== 'self-fenced');
  assert.deepEqual(
    first.come.map(({ run }) => run),
    ['run-b'],
  );
  assert.deepEqual([...first.abandoned], [['run-c', [stray.id]]]);
  assert.deepEqual([...first.own].sort(), [session.id, own.id].sort());

  await store.fence(session, { run: 'run-b' });
  const second = await read();
  assert.ok(second !== 'self-fenced');
  assert.deepEqual(
    second.gone.map(({ run }) => run),
    ['run-b'],
  );
  for (const ended of [control.id, worker.id]) assert.ok(second.fenced.includes(ended), `${ended} has ended`);
  assert.equal(members.size, 0);
});

test('a node whose own session is fenced learns it, and its members stay as they are', async () => {
  const database = createMemoryDatabase();
  const store = database.control();
  const members = new Members();
  const session = await store.openSession({ run: 'run-a', node: 'a', slot: -1, address: 'a:1' });
  const other = database.node().control();
  const theirs = await other.openSession({ run: 'run-b', node: 'b', slot: -1, address: 'b:1' });
  await other.fence(theirs, { run: 'run-a' });
  assert.equal(await readSessions({ store, members, run: 'run-a', session }), 'self-fenced');
  assert.equal(members.size, 0);
});

test('the map is read while it is stale or shards have no owner, and not otherwise', async () => {
  const rows: ShardRow[] = Array.from({ length: SHARDS }, (_, shard) => ({
    shard,
    owner: 5,
    epoch: 1,
    ownerState: 'live',
  }));
  let fails = true;
  let orphans: readonly number[] = [];
  const map = new ShardMap();
  const reading = new MapReading(
    {
      orphans: () => Promise.resolve(orphans),
      shardMap: () => (fails ? Promise.reject(new Error('away')) : Promise.resolve(rows)),
    },
    map,
  );
  assert.equal(reading.isStale, true);
  await assert.rejects(reading.read(), /away/);
  assert.equal(reading.isStale, true, 'a reading that fails tells nothing');
  fails = false;
  assert.equal((await reading.read())?.length, SHARDS);
  assert.equal(reading.isStale, false);
  assert.equal(await reading.read(), undefined);
  orphans = [3];
  assert.deepEqual(await reading.read(), []);
  reading.markStale();
  assert.equal(reading.isStale, true);
});
