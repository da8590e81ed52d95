// The documents that a worker unloads when they take more memory than allowed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonOp, SUBMIT } from '../../../actors/link/link-messages.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { HOST_LIMITS, openOn, startHost, withStore } from './host-harness.ts';

const KiB = 1024;

/**
 * Edits both documents, lets two sweeps pass, and edits the small one and then the large one. Returns the
 * documents that were loaded then.
 */
async function reloaded(
  mock: { enable(options: { apis: ['setInterval'] }): void; tick(ms: number): void },
  small: string,
): Promise<number[]> {
  mock.enable({ apis: ['setInterval'] });
  let loads = 0;
  const database = withStore(createMemoryDatabase(), (store) => ({
    load: (ids, maxBytes) => {
      loads += ids.length;
      return store.load(ids, maxBytes);
    },
  }));
  const host = await startHost(database, { ...HOST_LIMITS, memoryBytes: 4096 * KiB });
  try {
    const loadedBy: number[] = [];
    const edit = async (subscriptionId: number, seq: number, text: string): Promise<void> => {
      loads = 0;
      host.send([
        SUBMIT,
        subscriptionId,
        subscriptionId,
        seq,
        -1,
        jsonOp(JSON.stringify([{ insert: text }])),
      ]);
      await host.idle();
      loadedBy.push(loads);
    };
    for (const subscriptionId of [1, 2, 3, 4, 5])
      openOn(
        host,
        subscriptionId,
        subscriptionId,
        subscriptionId === 1 ? 'acme/small' : `acme/large-${subscriptionId}`,
      );
    await host.idle();
    await edit(1, 1, small);
    for (const subscriptionId of [2, 3, 4, 5])
      for (let seq = 1; seq <= 8; seq++) await edit(subscriptionId, seq, 'x'.repeat(200 * KiB));
    for (let sweep = 0; sweep < 3; sweep++) {
      mock.tick(1000);
      await host.idle();
    }
    loadedBy.length = 0;
    await edit(1, 2, 'y');
    await edit(2, 9, 'y');
    return loadedBy;
  } finally {
    host.host.dispose();
  }
}

test('a small document stays in memory where large ones take too much of it', async (t) => {
  assert.deepEqual(await reloaded(t.mock.timers, 'a'), [0, 1]);
});

test('a document that is not small leaves when it was used longest ago', async (t) => {
  assert.deepEqual(await reloaded(t.mock.timers, 'a'.repeat(100 * KiB)), [1, 1]);
});
