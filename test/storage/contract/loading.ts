// The contract's rules about reading many documents at once, as after a takeover.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { LogGap } from '../../../actors/storage/store.ts';
import { document, openWorker, type Rule, row, snapshotted, writeSnapshot } from './support.ts';

export function loading(rule: Rule): void {
  rule(
    'many at once: names, logs and clients come in the order asked, the same as of each alone',
    async (h) => {
      const { a, fold, doc: folded, epoch } = await snapshotted(h, 6);
      const [x, empty] = [await document(a, 'x'), await document(a, 'empty')];
      const rows = Array.from({ length: 6 }, (_, i) => row(x, i + 1, { op: Uint8Array.of(i, 255 - i, 0) }));
      // The log has a run of several patches, and runs of one.
      await a.store.append(rows.slice(0, 3), new Map([[x, 0]]));
      for (const one of rows.slice(3)) await a.store.append([one], new Map());
      const inside = await document(a, 'a "name", {null} \\ and more');
      await a.store.append(
        Array.from({ length: 4 }, (_, i) => row(inside, i + 1, { client: `client-${i}` })),
        new Map([[inside, 0]]),
      );
      // The snapshot's version is inside a run.
      assert.equal(await writeSnapshot(fold, a.session, inside, 2, epoch, 0), true);
      const names = ['x', 'nothing', 'd', 'a "name", {null} \\ and more', 'null', 'empty'];
      const found = await a.store.findAll(names.map((name) => ['org', name] as const));
      assert.deepEqual(
        found.map((document) => document?.id),
        [x, undefined, folded, inside, undefined, empty],
      );
      assert.deepEqual(found[2], await a.store.find('org', 'd'));
      assert.deepEqual(await a.store.findAll([['or', 'gx']]), [undefined]);
      assert.deepEqual(await a.store.findAll([]), []);
      const ids = [inside, x, empty, folded];
      const alone = await Promise.all(ids.map((id) => a.store.load([id])));
      assert.deepEqual(await a.store.load(ids), alone.flat());
      assert.deepEqual(await a.store.load([]), []);
      const clients = async (limit: number) =>
        (await a.store.clientsOfAll([inside, x, folded], limit)).map(({ clients }) => clients?.toSorted());
      assert.deepEqual(await clients(2), [['client-0', 'client-1'], [], ['client-0', 'client-1']]);
      assert.deepEqual(await clients(1), [undefined, [], undefined]);
      assert.deepEqual(await a.store.clientsOfAll([], 1), []);
    },
  );

  rule('load: as many from the start as fit in a number of bytes, at least one', async (h) => {
    const a = await openWorker(h, randomUUID());
    const fold = h.fold(randomUUID());
    const docs = await Promise.all(Array.from({ length: 5 }, (_, i) => document(a, `d${i}`)));
    const rows = docs.flatMap((doc) => [1, 2].map((v) => row(doc, v, { op: new Uint8Array(1_000) })));
    await a.store.append(rows, new Map(docs.map((doc) => [doc, 0])));
    // This document has its bytes in the snapshot.
    const state = new Uint8Array(2_000);
    assert.equal(await writeSnapshot(fold, a.session, docs[1] ?? 0, 2, 1, 0, state), true);
    const fits = async (bytes: number, of = docs) =>
      (await a.store.load(of, bytes)).map(({ id }) => docs.indexOf(id));
    assert.deepEqual(await fits(1), [0]);
    assert.deepEqual(await fits(3_900), [0]);
    assert.deepEqual(await fits(4_500), [0, 1]);
    assert.deepEqual(await fits(6_500), [0, 1, 2]);
    assert.deepEqual(await fits(1_000_000), [0, 1, 2, 3, 4]);
    assert.deepEqual(await fits(1, docs.slice(1)), [1]);
  });

  rule('load: a gap of one of many is an error when they are loaded together', async (h) => {
    const { a, doc } = await snapshotted(h, 0);
    const other = await document(a, 'other');
    await a.store.append([row(other, 1)], new Map([[other, 0]]));
    await h.loseAbove(doc, 4);
    await a.store.append([row(doc, 6)], new Map());
    await assert.rejects(a.store.load([other, doc]), LogGap);
  });
}
