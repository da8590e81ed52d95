// The contract's rules about pins that operators set, and about the shards in which organisations have
// documents.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { plain } from '../../support/creations.ts';
import { openWorker, type Rule } from './support.ts';

export function pins(rule: Rule): void {
  rule('a pin is seen by every node, in the order in which pins were set last', async (h) => {
    const [a, b] = [h.control(), h.control()];
    assert.deepEqual(await a.pins(), []);
    await a.setPin({ match: 'acme', node: 'x', slot: null });
    await a.setPin({ match: 'acme/plan', node: 'y', slot: 2 });
    await b.setPin({ match: 'shard:17', node: 'x', slot: 0 });
    assert.deepEqual(await b.pins(), [
      { match: 'acme', node: 'x', slot: null },
      { match: 'acme/plan', node: 'y', slot: 2 },
      { match: 'shard:17', node: 'x', slot: 0 },
    ]);
  });

  rule('a pin replaces the earlier one of its match, and comes last', async (h) => {
    const control = h.control();
    await control.setPin({ match: 'acme', node: 'x', slot: 1 });
    await control.setPin({ match: 'acme/plan', node: 'y', slot: null });
    await control.setPin({ match: 'acme', node: 'z', slot: null });
    assert.deepEqual(await control.pins(), [
      { match: 'acme/plan', node: 'y', slot: null },
      { match: 'acme', node: 'z', slot: null },
    ]);
  });

  rule('a pin is removed once', async (h) => {
    const control = h.control();
    await control.setPin({ match: 'acme', node: 'x', slot: null });
    assert.equal(await control.removePin('acme/plan'), false);
    assert.equal(await control.removePin('acme'), true);
    assert.equal(await control.removePin('acme'), false);
    assert.deepEqual(await control.pins(), []);
  });

  rule('pins outlive a renewed history', async (h) => {
    const control = h.control();
    await control.setPin({ match: 'acme', node: 'x', slot: null });
    await control.renewHistory();
    assert.equal((await control.pins()).length, 1);
  });

  rule('the shards of organisations: each once, ascending, of that organisation alone', async (h) => {
    const control = h.control();
    const a = await openWorker(h, randomUUID());
    await a.store.claim([3, 7, 4_095]);
    for (const [org, name, shard] of [
      ['acme', 'a', 7],
      ['acme', 'b', 4_095],
      ['acme', 'c', 3],
      ['acme', 'd', 7],
      ['acme-2', 'a', 7],
      ['other', 'acme', 3],
    ] as const)
      assert.ok(await a.store.create(org, name, shard, plain('json')));
    const shards = await control.orgShards(['acme', 'acme-2', 'nobody', 'acme']);
    assert.deepEqual([...shards].sort(), [
      ['acme', [3, 7, 4_095]],
      ['acme-2', [7]],
    ]);
    assert.deepEqual([...(await control.orgShards([]))], []);
  });
}
