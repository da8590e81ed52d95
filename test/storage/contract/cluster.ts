// The contract's rules about the database's news for a cluster: events, its timeline, its history after a
// restore, and its number of connections.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type EventListener, MAX_EVENT_BYTES, StoreUnavailable } from '../../../actors/storage/store.ts';
import { fuzzRuns } from '../../support/fuzz-runs.ts';
import { document, node, openWorker, type Rule, row } from './support.ts';

export function cluster(rule: Rule): void {
  rule('events reach all who listen, in order, whatever is in them', async (h) => {
    const [a, b] = [h.control(), h.control()];
    const [heardByA, heardByB] = [recorder(), recorder()];
    await a.listen(heardByA);
    await b.listen(heardByB);
    const events = ['shards 1,2', '', `"quotes" 'and' \\ ü \u{1F600}`, 'x'.repeat(MAX_EVENT_BYTES)];
    for (const event of events) await a.notify(event);
    await Promise.all([heardByA, heardByB].map((heard) => heard.until(events.length)));
    assert.deepEqual(heardByA.heard, events);
    assert.deepEqual(heardByB.heard, events);
  });

  rule('an event that is too long is told as a gap', async (h) => {
    const control = h.control();
    const heard = recorder();
    await control.listen(heard);
    await control.notify('ü'.repeat(MAX_EVENT_BYTES / 2 + 1));
    await control.notify('after');
    await heard.until(2);
    assert.deepEqual(heard.heard, [GAP, 'after']);
  });

  rule('a listener subscribes again after a lost connection, and is told of the gap', async (h) => {
    const [a, b] = [h.control(), h.control()];
    const heard = recorder();
    await a.listen(heard);
    await b.notify('before');
    await heard.until(1);
    for (let i = 1; i <= 3; i++) {
      await h.loseAllConnections();
      await heard.until(2 * i);
      await b.notify(`after ${i}`);
      await heard.until(2 * i + 1);
    }
    assert.deepEqual(heard.heard, ['before', GAP, 'after 1', GAP, 'after 2', GAP, 'after 3']);
  });

  rule('a closed listener hears nothing more', async (h) => {
    const control = h.control();
    const [closed, open] = [recorder(), recorder()];
    const subscription = await control.listen(closed);
    await control.listen(open);
    await subscription.close();
    await control.notify('event');
    await open.until(1);
    assert.deepEqual(closed.heard, []);
  });

  rule('a server below a timeline that is known is out of reach', async (h) => {
    const { control } = await node(h);
    const { timeline, highest } = await control.timeline();
    assert.ok(timeline >= 1);
    assert.equal(highest, timeline);
    control.refuseBelow(timeline);
    await control.sessions();
    control.refuseBelow(timeline + 1);
    await assert.rejects(control.sessions(), StoreUnavailable);
    const a = await openWorker(h, randomUUID());
    const doc = await document(a);
    a.store.refuseBelow(timeline);
    assert.deepEqual(await a.store.append([row(doc, 1)], new Map([[doc, 0]])), { type: 'committed' });
    a.store.refuseBelow(timeline + 1);
    const append = a.store.append([row(doc, 2)], new Map());
    await assert.rejects(a.store.load([doc]), StoreUnavailable);
    a.store.abort();
    assert.deepEqual(await append, { type: 'fenced' });
    const b = await openWorker(h, randomUUID());
    assert.equal((await b.store.load([doc]))[0]?.deltas.length, 1);
  });

  rule(
    'renewing the history fences everybody, frees all shards, and jumps over numbers given out',
    async (h) => {
      const { me, control } = await node(h);
      assert.equal(me.historyTag, '');
      const a = await openWorker(h, randomUUID());
      const doc = await document(a, 'd', 1);
      await a.store.append([row(doc, 1)], new Map([[doc, 0]]));
      const tag = await control.renewHistory();
      assert.match(tag, /^[0-9a-z]{8,}$/);
      assert.deepEqual(await control.sessions(), []);
      assert.equal((await control.orphans()).length, 4_096);
      assert.deepEqual(await a.store.append([row(doc, 2)], new Map()), { type: 'fenced' });
      assert.deepEqual([...(await a.store.claim([1]))], []);
      const b = await openWorker(h, randomUUID());
      assert.equal(b.session.historyTag, tag);
      assert.ok(b.session.id > a.session.id + 100_000);
      const epoch = (await b.store.claim([1])).get(1) ?? 0;
      assert.ok(epoch > 100_000);
      assert.equal((await b.store.load([doc]))[0]?.deltas.length, 1);
      assert.deepEqual(await b.store.append([row(doc, 2, { epoch })], new Map([[doc, 1]])), {
        type: 'committed',
      });
      assert.notEqual(await control.renewHistory(), tag);
    },
  );

  rule('renewing the history: a session that opens meanwhile has the new tag, or is fenced', async (h) => {
    const control = h.control();
    for (let i = 0; i < fuzzRuns(5); i++) {
      const stores = Array.from({ length: 6 }, () => h.worker());
      const [tag, ...opened] = await Promise.all([
        control.renewHistory(),
        ...stores.map((store) => store.open({ run: randomUUID(), node: 'node', slot: 0 })),
      ]);
      for (const session of opened) {
        if (session.historyTag !== tag) assert.equal(await control.sessionState(session.id), 'fenced');
      }
      for (const store of stores) store.abort();
    }
  });

  rule(
    'a run is connected once a worker of it has worked, and not any more when that has gone',
    async (h) => {
      const { control, run } = await node(h);
      assert.ok(!(await control.connectedRuns()).has(run));
      const worker = await openWorker(h, run);
      await worker.store.claim([1]);
      assert.ok((await control.connectedRuns()).has(run));
      await worker.store.close();
      assert.ok(!(await control.connectedRuns()).has(run));
    },
  );

  rule('the connection budget counts our connections among all', async (h) => {
    const { control } = await node(h);
    const { max, reserved, used, ours } = await control.connectionBudget();
    assert.ok(
      ours >= 1 && used >= ours && reserved >= 0 && max > reserved,
      JSON.stringify({ max, reserved, used, ours }),
    );
  });
}

const GAP = Symbol('gap');

interface Recorder extends EventListener {
  readonly heard: readonly (string | typeof GAP)[];
  /** Resolves once `count` events have come. */
  until(count: number): Promise<void>;
}

function recorder(): Recorder {
  const heard: (string | typeof GAP)[] = [];
  const waiting = new Map<() => void, number>();
  const add = (event: string | typeof GAP): void => {
    heard.push(event);
    for (const [wake, count] of waiting) if (heard.length >= count) wake();
  };
  return {
    heard,
    onEvent: add,
    onGap: () => add(GAP),
    until: (count) =>
      new Promise((resolve) => {
        if (heard.length >= count) resolve();
        else waiting.set(resolve, count);
      }),
  };
}
