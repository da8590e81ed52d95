// The contract's rules about clients that have not committed for long: a store remembers them as long as one
// of their patches is in the log, then forgets them whole, and never takes them for clients that have not
// committed.
import assert from 'node:assert/strict';
import {
  compact,
  document,
  node,
  openWorker,
  type Rule,
  row,
  type StoreHarness,
  writeSnapshot,
} from './support.ts';

const ALL = { olderThanMs: 0, keepOps: 0, limit: 1_000 };

export function forgetting(rule: Rule): void {
  rule('ONCE-2 forgetting: a client goes when the last that it committed is folded away', async (h) => {
    const { control, worker, doc, append, snapshot } = await stage(h);
    await append('ann', 'bob', 'ann', 'bob', 'cid');
    await snapshot(4);
    const bob = await worker.clientSeqs(doc, 'bob', 5);
    assert.equal(await compact(control, { ...ALL, keepOps: 1 }), 4 + 2);
    assert.deepEqual(await worker.clients(doc, 10), { clients: [], someForgotten: true });
    assert.deepEqual(await worker.clientsOfAll([doc], 10), [{ clients: [], someForgotten: true }]);
    assert.deepEqual(bob?.lastSeq, 4);
    for (const client of ['ann', 'bob', 'stranger'])
      assert.deepEqual(
        await worker.clientSeqs(doc, client, 5),
        { lastSeq: null, pairs: [], user: '' },
        client,
      );
    assert.deepEqual(await worker.clientSeqs(doc, 'cid', 5), { lastSeq: 5, pairs: [[5, 5]], user: 'user' });
    assert.equal(await compact(control, { ...ALL, keepOps: 1 }), 0);
  });

  rule(
    'ONCE-2 forgetting: no client is forgotten while its last patch is kept, by age or by number',
    async (h) => {
      const { control, worker, doc, append, snapshot } = await stage(h);
      await append('ann', 'bob', 'cid', 'cid');
      await snapshot(2);
      await snapshot(4);
      assert.equal(await compact(control, { ...ALL, olderThanMs: 3_600_000 }), 0);
      assert.equal(await compact(control, { ...ALL, keepOps: 4 }), 0);
      const { clients, someForgotten } = await worker.clients(doc, 10);
      assert.deepEqual([clients?.toSorted(), someForgotten], [['ann', 'bob', 'cid'], false]);
      assert.equal(await worker.clientSeqs(doc, 'stranger', 4), undefined);
      assert.equal(await compact(control, { ...ALL, keepOps: 2 }), 2 + 2);
      assert.deepEqual(await worker.clients(doc, 10), { clients: ['cid'], someForgotten: true });
      assert.deepEqual((await worker.clientSeqs(doc, 'cid', 4))?.lastSeq, 4);
    },
  );

  rule(
    'ONCE-2 forgetting: a client that has come back keeps all seqs, also those that only the log has',
    async (h) => {
      const { control, worker, doc, append, snapshot } = await stage(h);
      await append('ann', 'bob', 'ann', 'bob', 'bob');
      await snapshot(4);
      const before = await worker.clientSeqs(doc, 'bob', 5);
      assert.deepEqual(before?.pairs.length, 3);
      assert.equal(await compact(control, ALL), 4 + 1);
      assert.deepEqual(await worker.clientSeqs(doc, 'bob', 5), before);
      assert.deepEqual(await worker.clients(doc, 10), { clients: ['bob'], someForgotten: true });
    },
  );

  rule('ONCE-2 forgetting: a client that commits again is known again', async (h) => {
    const { control, worker, doc, append, snapshot } = await stage(h);
    await append('ann', 'bob');
    await snapshot(1);
    await compact(control, ALL);
    await append('ann');
    const known = { lastSeq: 3, pairs: [[3, 3]], user: 'user' };
    assert.deepEqual(await worker.clientSeqs(doc, 'ann', 3), known);
    await snapshot(3);
    assert.deepEqual(await worker.clientSeqs(doc, 'ann', 3), known);
    assert.equal(await worker.clientSeqs(doc, 'ann', 2), undefined, 'of what came before nothing is said');
  });

  rule('forgetting: in steps of `limit`, and the document loads after each', async (h) => {
    const { control, worker, doc, append, snapshot } = await stage(h);
    await append('a1', 'a2', 'a3', 'a4', 'a5', 'here');
    await snapshot(5);
    const steps: number[] = [];
    for (let removed = -1; removed !== 0; steps.push(removed)) {
      removed = await compact(control, { ...ALL, limit: 2 });
      assert.deepEqual((await worker.load([doc]))[0]?.deltas.length, 1);
    }
    assert.equal(
      steps.reduce((sum, removed) => sum + removed, 0),
      5 + 5,
    );
    assert.ok(steps.every((removed) => removed <= 2));
    assert.equal((await worker.find('org', 'd'))?.folded, 5);
    assert.deepEqual(await worker.clients(doc, 10), { clients: [], someForgotten: true });
  });

  rule('forgetting: snapshots that are written meanwhile lose nobody', async (h) => {
    const { control, worker, doc, append, snapshot } = await stage(h);
    let head = 0;
    for (let round = 0; round < 20; round++) {
      await append(`old-${round}`, 'steady', `new-${round}`, 'steady');
      head += 4;
      const sweep = () => compact(control, { ...ALL, keepOps: 3 });
      await Promise.all([snapshot(head - 1), sweep(), sweep()]);
      const steady = await worker.clientSeqs(doc, 'steady', head);
      assert.deepEqual([steady?.lastSeq, steady?.pairs.length], [head, 2 * round + 2]);
      for (const [client, seq] of Object.entries({ [`old-${round}`]: head - 3, [`new-${round}`]: head - 1 }))
        assert.deepEqual(await worker.clientSeqs(doc, client, head), {
          lastSeq: seq,
          pairs: [[seq, seq]],
          user: 'user',
        });
    }
    const { clients, someForgotten } = await worker.clients(doc, 1_000);
    assert.equal(someForgotten, true);
    assert.ok((clients?.length ?? 0) <= 1 + 2 * 3, 'of the others those of the last rounds are left');
  });

  rule('forgetting: not by a fenced node', async (h) => {
    const { control, me, worker, doc, append, snapshot } = await stage(h);
    const other = await node(h);
    await append('ann', 'bob');
    await snapshot(1);
    await other.control.fence(other.me, { session: me.id });
    assert.equal(await compact(control, ALL), 0);
    assert.deepEqual(await worker.clients(doc, 10), { clients: ['ann'], someForgotten: false });
  });
}

/** An empty document, to which versions are appended by naming their clients. */
async function stage(h: StoreHarness) {
  const { control, me, run } = await node(h);
  const a = await openWorker(h, run);
  const fold = h.fold(run);
  const doc = await document(a);
  let head = 0;
  let newest = 0;
  return {
    control,
    me,
    doc,
    worker: a.store,
    append: async (...clients: string[]) => {
      const rows = clients.map((client, i) => row(doc, head + i + 1, { client }));
      const heads = head === 0 ? new Map([[doc, 0]]) : new Map<number, number>();
      assert.deepEqual(await a.store.append(rows, heads), { type: 'committed' });
      head += clients.length;
    },
    snapshot: async (version: number) => {
      assert.equal(await writeSnapshot(fold, a.session, doc, version, 1, newest), true);
      newest = version;
    },
  };
}
