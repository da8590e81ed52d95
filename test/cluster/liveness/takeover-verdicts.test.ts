// The nodes that a node fences, and the times of its fences: the detector's verdicts carried out. The test
// controls everything around.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import type { ControlStore } from '../../../actors/storage/store.ts';
import type { LeaseStore } from '../../../cluster/liveness/lease-store.ts';
import { Members } from '../../../cluster/liveness/members.ts';
import { Takeover } from '../../../cluster/liveness/takeover.ts';
import type { ProbeResult } from '../../../cluster/peer/network.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { lease } from './lease-store-contract.ts';

const OTHER = 'other-run';

test('a run that is in the database, and has no lease yet, is new and not dead', async () => {
  const h = new Harness();
  await h.run(60_000);
  h.join(OTHER);
  await h.run(2000);
  assert.deepEqual(h.fenced, []);
});

test('a run that never gets a lease, and is never heard, is fenced in the end', async () => {
  const h = new Harness();
  await h.run(60_000);
  h.join(OTHER);
  await h.run(10_000);
  assert.deepEqual(h.fenced, [OTHER]);
});

test('a node that shows a sign of life before its turn to be fenced is not fenced', async () => {
  const h = new Harness();
  // Run a-run comes before this node in the order of survivors.
  h.join('a-run', { connected: true });
  h.join(OTHER);
  h.takeover.linkUp(OTHER);
  h.probeResult = 'refused';
  h.takeover.linkDown(OTHER, 'lost');
  await h.run(100);
  h.takeover.linkUp(OTHER);
  await h.run(1000);
  assert.deepEqual(h.fenced, []);
  h.takeover.linkDown(OTHER, 'lost');
  await h.run(1000);
  assert.deepEqual(h.fenced, [OTHER]);
});

test('a survivor that is late in the order fences if those before it do not', async () => {
  const h = new Harness();
  for (const run of ['a', 'b', 'c', 'd', 'e', 'f']) h.join(run, { connected: true });
  h.join(OTHER);
  h.takeover.linkUp(OTHER);
  h.probeResult = 'refused';
  h.takeover.linkDown(OTHER, 'lost');
  await h.run(5000);
  assert.deepEqual(h.fenced, [OTHER]);
});

for (const reason of ['silent', 'slow', 'oversize', 'violation'] as const) {
  test(`${reason}: what this node has given up itself is not fenced at once, but one per 5 s`, async () => {
    const h = new Harness();
    for (const run of [OTHER, 'x-run']) h.join(run, { connected: true, beatsUntilMs: 60_000 });
    await h.run(60_000);
    for (const run of [OTHER, 'x-run']) h.takeover.linkDown(run, reason);
    await h.run(4000);
    assert.deepEqual(h.fenced, [OTHER]);
    assert.deepEqual(h.soft, h.fenced);
    await h.run(5000);
    assert.deepEqual(h.fenced, [OTHER, 'x-run']);
  });
}

test('of many nodes that fall silent at once for good, none waits for the others for more than 5 s', async () => {
  const h = new Harness();
  const runs = ['v', 'w', 'x', 'y', 'z'].map((name) => `${name}-run`);
  for (const run of runs) h.join(run, { connected: true, beatsUntilMs: 60_000 });
  await h.run(60_000);
  for (const run of runs) h.takeover.linkDown(run, 'silent');
  await h.run(8000);
  assert.deepEqual(h.fenced, runs);
});

test('runs whose connections ended are fenced at once if their leases are gone too', async () => {
  const h = new Harness();
  for (const run of [OTHER, 'x-run']) h.join(run, { connected: true, beatsUntilMs: 60_000 });
  await h.run(60_000);
  for (const run of [OTHER, 'x-run']) h.takeover.linkDown(run, 'lost');
  await h.run(4000);
  assert.deepEqual([h.fenced, h.soft], [[OTHER, 'x-run'], []]);
});

test('a connection that gives way to a newer one of the same run is no end: no node is probed or fenced', async () => {
  const h = new Harness();
  h.join(OTHER, { connected: true });
  await h.run(60_000);
  h.probeResult = 'refused';
  h.takeover.linkDown(OTHER, 'superseded');
  await h.run(5000);
  assert.deepEqual([h.probes, h.fenced], [0, []]);
});

test('the report of a node on its database ends with the connection on which it came', async () => {
  const h = new Harness();
  h.join(OTHER, { connected: true });
  h.takeover.database(true);
  await h.run(10_000);
  h.takeover.database(false, OTHER);
  h.takeover.linkDown(OTHER, 'superseded');
  h.takeover.linkUp(OTHER);
  await h.run(60_000);
  assert.deepEqual(h.fenced, []);
});

class Harness {
  readonly clock = new Scheduler();
  readonly members = new Members();
  readonly fenced: string[] = [];
  /** The fenced runs for which there was no hard evidence. */
  readonly soft: string[] = [];
  probes = 0;
  readonly takeover: Takeover;
  probeResult: ProbeResult = 'no-answer';
  #sessions = 100;

  constructor() {
    this.takeover = new Takeover({
      counts: new ThreadCounts(),
      run: 'm-own-run',
      session: { id: 1, nonce: '', historyTag: '' },
      store: {
        fence: (_: unknown, { run }: { run: string }, how?: { soft: true }) => {
          this.fenced.push(run);
          if (how !== undefined) this.soft.push(run);
          return Promise.resolve(true);
        },
        notify: () => Promise.resolve(),
      } as Partial<ControlStore> as ControlStore,
      leases: {
        list: () => Promise.resolve([]),
        steadySince: () => 0,
        publish: () => Promise.resolve(),
      } as Partial<LeaseStore> as LeaseStore,
      clock: this.clock,
      members: this.members,
      log: () => undefined,
      probe: () => {
        this.probes++;
        return Promise.resolve(this.probeResult);
      },
      tell: () => undefined,
      onFenced: (run) => {
        this.members.remove(run);
        this.takeover.gone(run);
      },
      onSelfFenced: () => assert.fail('it is not fenced itself'),
    });
    this.takeover.start();
  }

  join(run: string, { connected = false, beatsUntilMs = Number.POSITIVE_INFINITY } = {}): void {
    const row = { id: ++this.#sessions, run, node: run, slot: -1, state: 'live', address: 'host:1' } as const;
    this.#rows.push(row);
    this.members.sync(this.#rows);
    this.members.learn(lease({ run }), this.clock.now());
    const member = this.members.get(run);
    if (connected && member !== undefined) member.peer = {} as NonNullable<typeof member.peer>;
    this.takeover.known(run);
    if (!connected) return;
    this.takeover.linkUp(run);
    const stop = this.clock.every(200, () => {
      if (this.clock.now() < beatsUntilMs) this.takeover.heard(run, 'heartbeat');
      else stop();
    });
  }

  async run(ms: number): Promise<void> {
    await this.clock.run({ until: () => false, untilMs: this.clock.now() + ms });
  }

  readonly #rows: Parameters<Members['sync']>[0][number][] = [];
}
