// The contract's rules about documents that are created with a patch, deleted, and brought back.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { plain } from '../../support/creations.ts';
import { document, node, openWorker, type Rule, row } from './support.ts';

const DAY = 86_400_000;
const OP = Buffer.from('[{"op":"add","path":"","value":{"a":1}}]');

export function existence(rule: Rule): void {
  rule('a document is created together with its first patch, which is loaded like any other', async (h) => {
    const a = await openWorker(h, randomUUID());
    await a.store.claim([1]);
    const creation = {
      kind: 'json',
      user: 'ada',
      mark: 'm-1',
      first: { client: 'client-a', seq: 1, op: OP },
    } as const;
    const made = await a.store.create('org', 'd', 1, creation);
    assert.equal(made?.created, true);
    assert.equal(made?.row.creation, 'm-1');
    const doc = made?.row.id ?? 0;
    const [loaded] = await a.store.load([doc]);
    assert.deepEqual(
      loaded?.deltas.map(({ version, client, seq, user, epoch }) => [version, client, seq, user, epoch]),
      [[1, 'client-a', 1, 'ada', 1]],
    );
    assert.deepEqual(Buffer.from(loaded?.deltas[0]?.op ?? []), OP);
    assert.deepEqual((await a.store.clientSeqs(doc, 'client-a', 1))?.pairs, [[1, 1]]);
    assert.deepEqual(await a.store.append([row(doc, 2)], new Map([[doc, 1]])), { type: 'committed' });
    // The creation comes twice if its answer was lost.
    const again = await a.store.create('org', 'd', 1, creation);
    assert.deepEqual(again, { row: made?.row, created: false });
    assert.equal((await a.store.load([doc]))[0]?.deltas.length, 2);
  });

  rule(
    'a deleted document is not found, its name is free, and a repeated deletion says the same',
    async (h) => {
      const a = await openWorker(h, randomUUID());
      const doc = await document(a);
      assert.deepEqual(await a.store.remove('org', 'd', 1, 'm-1'), { type: 'changed', id: doc });
      assert.equal(await a.store.find('org', 'd'), undefined);
      assert.deepEqual(await a.store.remove('org', 'd', 1, 'm-1'), { type: 'changed', id: doc });
      assert.deepEqual(await a.store.remove('org', 'd', 1, 'm-2'), { type: 'none' });
      const next = await a.store.create('org', 'd', 1, plain('json'));
      assert.equal(next?.created, true);
      assert.notEqual(next?.row.id, doc);
    },
  );

  rule('a document comes back with its rows, while its name is free and it was deleted lately', async (h) => {
    const a = await openWorker(h, randomUUID());
    const doc = await document(a);
    await a.store.append([row(doc, 1), row(doc, 2)], new Map([[doc, 0]]));
    assert.deepEqual(await a.store.bringBack('org', 'd', 1, 'm-1', DAY), { type: 'exists' });
    await a.store.remove('org', 'd', 1, 'm-1');
    await a.store.create('org', 'd', 1, plain('json'));
    assert.deepEqual(await a.store.bringBack('org', 'd', 1, 'm-2', DAY), { type: 'exists' });
    await a.store.remove('org', 'd', 1, 'm-3');
    assert.deepEqual(await a.store.bringBack('org', 'other', 1, 'm-4', DAY), { type: 'none' });
    const back = await a.store.bringBack('org', 'd', 1, 'm-5', DAY);
    assert.equal(back.type, 'changed', 'the document that was deleted last');
    assert.deepEqual(await a.store.bringBack('org', 'd', 1, 'm-5', DAY), back);
    await a.store.remove('org', 'd', 1, 'm-6');
  });

  rule('a document that was deleted too long ago does not come back', async (h) => {
    const a = await openWorker(h, randomUUID());
    await document(a);
    await a.store.remove('org', 'd', 1, 'm-1');
    await h.age(2 * DAY);
    assert.deepEqual(await a.store.bringBack('org', 'd', 1, 'm-2', DAY), { type: 'none' });
    assert.equal((await a.store.bringBack('org', 'd', 1, 'm-3', 3 * DAY)).type, 'changed');
  });

  rule(
    'a session that is fenced, or does not own the shard, deletes nothing and brings nothing back',
    async (h) => {
      const { run, me, control } = await node(h);
      const [a, b] = [await openWorker(h, run), await openWorker(h, run, 1)];
      const doc = await document(a);
      assert.deepEqual(await b.store.remove('org', 'd', 1, 'm-1'), { type: 'fenced' });
      assert.equal((await a.store.find('org', 'd'))?.id, doc);
      await a.store.remove('org', 'd', 1, 'm-2');
      assert.deepEqual(await b.store.bringBack('org', 'd', 1, 'm-3', DAY), { type: 'fenced' });
      await a.store.bringBack('org', 'd', 1, 'm-4', DAY);
      assert.equal(await control.fence(me, { session: a.session.id }), true);
      assert.deepEqual(await a.store.remove('org', 'd', 1, 'm-5'), { type: 'fenced' });
    },
  );
}
