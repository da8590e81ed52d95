// The contract's rules about the right to write: sessions, shards, claims, fences, and the hand-off of
// shards. Over 400 lines because all of these rules are about one state, which both stores must keep alike.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { RunFenced, SOFT_FENCE_GAP_MS, StoreUnavailable } from '../../../actors/storage/store.ts';
import { plain } from '../../support/creations.ts';
import { fuzzRuns } from '../../support/fuzz-runs.ts';
import { document, node, openWorker, type Rule, row } from './support.ts';

export function ownership(rule: Rule): void {
  rule('a session is live when opened, and no two are alike', async (h) => {
    const { me, control } = await node(h);
    const other = await openWorker(h, randomUUID());
    assert.notEqual(me.id, other.session.id);
    assert.equal(await control.sessionState(me.id), 'live');
    assert.equal(await control.sessionState(other.session.id), 'live');
    assert.equal(await control.sessionState(999_999), undefined);
  });

  rule('sessions of other runs are listed until they are fenced', async (h) => {
    const { run, me, control } = await node(h);
    const theirs = await openWorker(h, randomUUID(), 3);
    const listed = await control.foreignSessions(run);
    assert.deepEqual(
      listed.map(({ id, slot, node: at }) => ({ id, slot, at })),
      [{ id: theirs.session.id, slot: 3, at: 'node' }],
    );
    assert.equal(await control.fence(me, { session: theirs.session.id }), true);
    assert.deepEqual(await control.foreignSessions(run), []);
  });

  rule('a run whose control session has been fenced gets no more sessions', async (h) => {
    const { me, control } = await node(h);
    const run = randomUUID();
    const identity = { run, node: 'other', slot: -1 };
    const [one, two] = [h.control(), h.control()];
    // The answer of the first was lost, so the node has asked again.
    const sessions = [await one.openSession(identity), await two.openSession(identity)];
    const worker = await openWorker(h, run);
    assert.equal(await control.fence(me, { session: worker.session.id }), true);
    await openWorker(h, run);
    assert.equal(await control.fence(me, { run }), true);
    for (const { id } of sessions) assert.equal(await control.sessionState(id), 'fenced');
    await assert.rejects(one.openSession(identity), RunFenced);
    await assert.rejects(openWorker(h, run), RunFenced);
    await openWorker(h, randomUUID());
  });

  rule('a fence of a run and an open of its next session that race leave no session of it', async (h) => {
    const { me, control } = await node(h);
    const other = h.control();
    for (let round = 0; round < 20; round++) {
      const run = randomUUID();
      const identity = { run, node: 'other', slot: -1 };
      await other.openSession(identity);
      const [fenced] = await Promise.allSettled([control.fence(me, { run }), other.openSession(identity)]);
      assert.deepEqual(fenced, { status: 'fulfilled', value: true });
      assert.deepEqual(
        (await control.sessions()).filter((session) => session.run === run),
        [],
      );
    }
  });

  rule('a shard is claimed by one session, and not taken from a live one', async (h) => {
    const a = await openWorker(h, randomUUID());
    const b = await openWorker(h, randomUUID());
    assert.deepEqual(
      [...(await a.store.claim([1, 2]))],
      [
        [1, 1],
        [2, 1],
      ],
    );
    assert.deepEqual([...(await b.store.claim([2, 3]))], [[3, 1]]);
  });

  rule('a claim made again gives the same epochs', async (h) => {
    const a = await openWorker(h, randomUUID());
    const first = await a.store.claim([4_095, 7]);
    assert.deepEqual([...(await a.store.claim([7, 4_095]))].sort(), [...first].sort());
  });

  rule('a shard of a fenced session is claimed under the next epoch', async (h) => {
    const { me, control } = await node(h);
    const a = await openWorker(h, randomUUID());
    const b = await openWorker(h, randomUUID());
    await a.store.claim([5]);
    await control.fence(me, { session: a.session.id });
    assert.deepEqual([...(await b.store.claim([5]))], [[5, 2]]);
  });

  rule('claims that race have one winner a shard', async (h) => {
    const workers = await Promise.all([1, 2, 3, 4].map(() => openWorker(h, randomUUID())));
    const shards = Array.from({ length: 50 }, (_, i) => i);
    const won = await Promise.all(workers.map(({ store }) => store.claim(shards)));
    assert.deepEqual(
      won.flatMap((shard) => [...shard.keys()]).sort((x, y) => x - y),
      shards,
    );
  });

  rule('a fenced session claims, creates and appends nothing', async (h) => {
    const { me, control } = await node(h);
    const a = await openWorker(h, randomUUID());
    const doc = await document(a);
    await control.fence(me, { session: a.session.id });
    assert.deepEqual([...(await a.store.claim([2]))], []);
    assert.equal(await a.store.create('org', 'other', 1, plain('json')), undefined);
    assert.deepEqual(await a.store.append([row(doc, 1)], new Map([[doc, 0]])), { type: 'fenced' });
    assert.equal(await control.sessionState(a.session.id), 'fenced');
  });

  rule('a session is told that it lives, draining too, until it is fenced', async (h) => {
    const { me, control, run } = await node(h);
    const a = await openWorker(h, run);
    assert.equal(await a.store.isLive(), true);
    await control.setState(me, 'draining');
    assert.equal(await a.store.isLive(), true);
    await control.fence(me, { session: a.session.id });
    assert.equal(await a.store.isLive(), false);
    const b = await openWorker(h, randomUUID());
    await h.loseAllConnections();
    assert.equal(await b.store.isLive(), true);
    b.store.abort();
    await assert.rejects(b.store.isLive(), StoreUnavailable);
  });

  rule(
    'a session that asks whether it lives while it is fenced is not told so after the fence',
    async (h) => {
      const { me, control } = await node(h);
      for (let i = 0; i < fuzzRuns(10); i++) {
        const a = await openWorker(h, randomUUID());
        let isFenced = false;
        const fencing = control.fence(me, { session: a.session.id }).then(() => {
          isFenced = true;
        });
        while (!isFenced) await a.store.isLive();
        assert.equal(await a.store.isLive(), false);
        await fencing;
      }
    },
  );

  rule('fencing a run fences all its sessions, its control session too, and no other', async (h) => {
    const { me, control } = await node(h);
    const victim = await node(h);
    const a = await openWorker(h, victim.run, 0);
    const b = await openWorker(h, victim.run, 1);
    const bystander = await openWorker(h, randomUUID());
    assert.equal(await control.fence(me, { run: victim.run }), true);
    for (const id of [victim.me.id, a.session.id, b.session.id]) {
      assert.equal(await control.sessionState(id), 'fenced');
    }
    assert.equal(await control.sessionState(bystander.session.id), 'live');
  });

  rule('only a live session may fence; fencing again is true', async (h) => {
    const a = await node(h);
    const b = await node(h);
    assert.equal(await a.control.fence(a.me, { run: b.run }), true);
    assert.equal(await a.control.fence(a.me, { run: b.run }), true);
    assert.equal(await b.control.fence(b.me, { run: a.run }), false);
    assert.equal(await a.control.fence({ ...a.me, nonce: randomUUID() }, { run: b.run }), false);
    assert.equal(await a.control.sessionState(a.me.id), 'live');
  });

  rule('if two nodes fence each other, one is left', async (h) => {
    for (let i = 0; i < fuzzRuns(10); i++) {
      const a = await node(h);
      const b = await node(h);
      const answers = await Promise.all([
        a.control.fence(a.me, { run: b.run }),
        b.control.fence(b.me, { run: a.run }),
      ]);
      const states = await Promise.all([a, b].map(({ control, me }) => control.sessionState(me.id)));
      assert.deepEqual(answers.toSorted(), [false, true]);
      assert.deepEqual(states.toSorted(), ['fenced', 'live']);
    }
  });

  rule('a worker that closes fences itself, and its shards are free', async (h) => {
    const { control } = await node(h);
    const a = await openWorker(h, randomUUID());
    await a.store.claim([9]);
    await a.store.close();
    assert.equal(await control.sessionState(a.session.id), 'fenced');
    const b = await openWorker(h, randomUUID());
    assert.deepEqual([...(await b.store.claim([9]))], [[9, 2]]);
  });

  rule('sessions that are not fenced are listed, with what peers dial', async (h) => {
    const a = await node(h, 'host-a:7000');
    const worker = await openWorker(h, a.run, 2);
    const b = await node(h);
    const listed = await a.control.sessions();
    assert.deepEqual(
      listed.map(({ id, run, slot, state, address }) => ({ id, run, slot, state, address })),
      [
        { id: a.me.id, run: a.run, slot: -1, state: 'live', address: 'host-a:7000' },
        { id: worker.session.id, run: a.run, slot: 2, state: 'live', address: null },
        { id: b.me.id, run: b.run, slot: -1, state: 'live', address: null },
      ],
    );
    await b.control.fence(b.me, { run: a.run });
    assert.deepEqual(
      (await b.control.sessions()).map(({ id }) => id),
      [b.me.id],
    );
  });

  rule(
    'the shard map tells each shard, its owner and how that is; orphans are free to be claimed',
    async (h) => {
      const { me, control } = await node(h);
      const a = await openWorker(h, randomUUID());
      const b = await openWorker(h, randomUUID());
      await a.store.claim([0, 7]);
      await b.store.claim([4_095]);
      await control.fence(me, { session: b.session.id });
      const map = await control.shardMap();
      assert.equal(map.length, 4_096);
      assert.deepEqual(
        [map[0], map[1], map[7], map[4_095]],
        [
          { shard: 0, owner: a.session.id, epoch: 1, ownerState: 'live' },
          { shard: 1, owner: null, epoch: 0, ownerState: null },
          { shard: 7, owner: a.session.id, epoch: 1, ownerState: 'live' },
          { shard: 4_095, owner: b.session.id, epoch: 1, ownerState: 'fenced' },
        ],
      );
      const orphans = await control.orphans();
      assert.equal(orphans.length, 4_094);
      assert.deepEqual([orphans[0], orphans.at(-1), orphans.includes(7)], [1, 4_095, false]);
    },
  );

  rule('a draining run commits, claims nothing, receives nothing, and is never live again', async (h) => {
    const a = await node(h);
    const worker = await openWorker(h, a.run);
    const other = await openWorker(h, randomUUID());
    const doc = await document(worker);
    assert.equal(await a.control.setState({ ...a.me, nonce: randomUUID() }, 'draining'), false);
    assert.equal(await a.control.sessionState(worker.session.id), 'live');
    assert.equal(await a.control.setState(a.me, 'draining'), true);
    assert.equal(await a.control.setState(a.me, 'draining'), true);
    for (const id of [a.me.id, worker.session.id]) assert.equal(await a.control.sessionState(id), 'draining');
    assert.equal(await a.control.sessionState(other.session.id), 'live');
    assert.deepEqual(await worker.store.append([row(doc, 1)], new Map([[doc, 0]])), { type: 'committed' });
    assert.deepEqual([...(await worker.store.claim([2]))], []);
    await other.store.claim([3]);
    assert.deepEqual([...(await other.store.handOff([3], worker.session.id))], []);
    assert.deepEqual([...(await worker.store.handOff([1], other.session.id))], [[1, 2]]);
  });

  rule('a draining session fences its own run, and no other', async (h) => {
    const a = await node(h);
    const worker = await openWorker(h, a.run);
    const b = await node(h);
    await a.control.setState(a.me, 'draining');
    assert.equal(await a.control.fence(a.me, { run: b.run }), false);
    assert.equal(await a.control.fence(a.me, { session: b.me.id }), false);
    assert.equal(await a.control.fence(a.me, { session: worker.session.id }), true);
    assert.equal(await a.control.sessionState(worker.session.id), 'fenced');
    assert.equal(await b.control.setState(b.me, 'draining'), true);
    await a.control.fence(a.me, { session: a.me.id });
    assert.equal(await a.control.setState(a.me, 'draining'), false, 'fenced');
  });

  rule('fence: a session that keeps its row locked is fenced all the same', async (h) => {
    const { me, control } = await node(h);
    const a = await openWorker(h, randomUUID());
    const letGo = await h.holdLock(a);
    assert.equal(await control.fence(me, { session: a.session.id }), true);
    assert.equal(await control.sessionState(a.session.id), 'fenced');
    await letGo();
  });

  rule('soft fence: too soon after any other run was fenced, softly or not', async (h) => {
    const a = await node(h);
    const [b, c, d] = [await node(h), await node(h), await node(h)];
    assert.equal(await a.control.fence(a.me, { run: b.run }, { soft: true }), true);
    assert.equal(await a.control.fence(a.me, { run: c.run }, { soft: true }), 'too-soon');
    assert.equal(await a.control.sessionState(c.me.id), 'live');
    assert.equal(await a.control.fence(a.me, { run: b.run }, { soft: true }), true, 'fenced already');
    await h.age(SOFT_FENCE_GAP_MS - 1_000);
    assert.equal(await d.control.fence(d.me, { run: c.run }, { soft: true }), 'too-soon', "another's fence");
    assert.equal(await d.control.fence(d.me, { run: c.run }), true, 'with hard evidence');
    await h.age(SOFT_FENCE_GAP_MS - 1_000);
    assert.equal(await a.control.fence(a.me, { run: d.run }, { soft: true }), 'too-soon', 'after a hard one');
    await h.age(1_000);
    assert.equal(await a.control.fence(a.me, { run: d.run }, { soft: true }), true);
    assert.equal(await d.control.fence(d.me, { run: a.run }, { soft: true }), false, 'not live');
  });

  rule("soft fence: a node that fences its own dead workers keeps nobody's back", async (h) => {
    const [a, b] = [await node(h), await node(h)];
    const worker = await openWorker(h, a.run);
    assert.equal(await a.control.fence(a.me, { session: worker.session.id }), true);
    assert.equal(await a.control.fence(a.me, { run: b.run }, { soft: true }), true);
  });

  rule('soft fence: of several at once one is let through', async (h) => {
    for (let i = 0; i < fuzzRuns(5); i++) {
      await h.age(SOFT_FENCE_GAP_MS);
      const fencers = await Promise.all(Array.from({ length: 4 }, () => node(h)));
      const victims = await Promise.all(Array.from({ length: 4 }, () => node(h)));
      const answers = await Promise.all(
        fencers.map(({ control, me }, k) =>
          control.fence(me, { run: victims[k]?.run ?? '' }, { soft: true }),
        ),
      );
      assert.deepEqual(answers.toSorted(), ['too-soon', 'too-soon', 'too-soon', true]);
    }
  });

  rule('hand-off: to a live session, under the next epoch; it adopts what it was given', async (h) => {
    const a = await openWorker(h, randomUUID());
    const b = await openWorker(h, randomUUID());
    await a.store.claim([1, 2, 3]);
    assert.deepEqual([...(await b.store.adopt([1, 2]))], []);
    // Shard 4 has no owner.
    assert.deepEqual([...(await a.store.handOff([1, 2, 4], b.session.id))].toSorted(), [
      [1, 2],
      [2, 2],
    ]);
    assert.deepEqual([...(await b.store.adopt([1, 2, 3, 4]))].toSorted(), [
      [1, 2],
      [2, 2],
    ]);
    assert.deepEqual([...(await a.store.adopt([1, 2, 3]))], [[3, 1]]);
    assert.deepEqual([...(await a.store.handOff([1], b.session.id))], [], 'not ours any more');
    assert.deepEqual([...(await a.store.handOff([], b.session.id))], []);
    await assert.rejects(a.store.handOff([3], a.session.id), /another session/);
  });

  rule('hand-off: nothing moves to a fenced or unknown session, nor from a fenced one', async (h) => {
    const { me, control } = await node(h);
    const a = await openWorker(h, randomUUID());
    const b = await openWorker(h, randomUUID());
    await a.store.claim([1]);
    await control.fence(me, { session: b.session.id });
    assert.deepEqual([...(await a.store.handOff([1], b.session.id))], []);
    assert.deepEqual([...(await a.store.handOff([1], 999_999))], []);
    assert.deepEqual([...(await a.store.adopt([1]))], [[1, 1]]);
    const c = await openWorker(h, randomUUID());
    await control.fence(me, { session: a.session.id });
    assert.deepEqual([...(await a.store.handOff([1], c.session.id))], []);
    assert.deepEqual([...(await a.store.adopt([1]))], []);
    assert.deepEqual([...(await c.store.claim([1]))], [[1, 2]]);
  });

  rule('hand-off: behind the append under way, and before those that are asked for after it', async (h) => {
    const a = await openWorker(h, randomUUID());
    const b = await openWorker(h, randomUUID());
    const [x, y] = [await document(a, 'x', 1), await document(a, 'y', 2)];
    const order: string[] = [];
    const first = a.store
      .append(
        [row(x, 1), row(y, 1)],
        new Map([
          [x, 0],
          [y, 0],
        ]),
      )
      .then(({ type }) => order.push(`append ${type}`));
    const moved = a.store.handOff([1], b.session.id).then(({ size }) => order.push(`hand-off ${size}`));
    const again = a.store.handOff([2], b.session.id).then(({ size }) => order.push(`hand-off ${size}`));
    await first;
    // This append comes while the hand-offs are under way.
    const last = a.store.append([row(y, 2)], new Map()).then(({ type }) => order.push(`append ${type}`));
    await Promise.all([moved, again, last]);
    assert.deepEqual(order, ['append committed', 'hand-off 1', 'hand-off 1', 'append committed']);
  });

  rule('hand-off: one whose connection is lost moves each shard once, and says so', async (h) => {
    const a = await openWorker(h, randomUUID());
    const b = await openWorker(h, randomUUID());
    const shards = [1, 2, 3];
    await a.store.claim(shards);
    let [from, to] = [a, b];
    for (let epoch = 2; epoch < 22; epoch++) {
      const lost = h.loseConnection(from.session.id);
      const moved = await from.store.handOff(shards, to.session.id);
      await lost;
      const expected = shards.map((shard) => [shard, epoch]);
      assert.deepEqual([...moved].toSorted(), expected);
      assert.deepEqual([...(await to.store.adopt(shards))].toSorted(), expected);
      [from, to] = [to, from];
    }
  });

  rule('hand-off: raced by a fence of either side, every shard has one owner', async (h) => {
    for (let i = 0; i < fuzzRuns(12); i++) {
      const { me, control } = await node(h);
      const a = await openWorker(h, randomUUID());
      const b = await openWorker(h, randomUUID());
      const shard = 100 + i;
      await a.store.claim([shard]);
      const victim = i % 2 === 0 ? a : b;
      const [moved, fenced] = await Promise.all([
        a.store.handOff([shard], b.session.id),
        control.fence(me, { session: victim.session.id }),
      ]);
      assert.equal(fenced, true);
      const row = (await control.shardMap())[shard];
      assert.deepEqual(row, {
        shard,
        owner: moved.size === 1 ? b.session.id : a.session.id,
        epoch: moved.size === 1 ? 2 : 1,
        ownerState: (moved.size === 1 ? b : a) === victim ? 'fenced' : 'live',
      });
    }
  });
}
