// A fold of a yjs document that Yjs itself makes too slow. fold-pool.test.ts has a fold that is slow by a module of the tests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as encoding from 'lib0/encoding';
import { startTestNode } from '../support/node.ts';
import { freshDatabase } from '../support/postgres.ts';
import { foldedAnew, SNAPSHOT_BYTES } from './folded-anew.ts';

/**
 * Updates of this many clients, each with one struct whose origin never comes: Yjs takes time with the square
 * of their number to build them.
 */
function waitingStructs(clients: number, firstClient: number): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, clients);
  for (let at = clients - 1; at >= 0; at--) {
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarUint(encoder, firstClient + at);
    encoding.writeVarUint(encoder, 5);
    encoding.writeUint8(encoder, 0x84);
    encoding.writeVarUint(encoder, 77);
    encoding.writeVarUint(encoder, 1_000 + at);
    encoding.writeVarString(encoder, 'x');
  }
  encoding.writeVarUint(encoder, 0);
  return encoding.toUint8Array(encoder);
}

test('a fold that takes too long is stopped, and a yjs document is folded without garbage collection', async (t) => {
  const storageUrl = await freshDatabase(t);
  const node = await startTestNode(t, {
    storageUrl,
    config: {
      compute: { foldTimeoutMs: 2_000 },
      limits: { opBytes: 600_000 },
      snapshot: { minBytes: SNAPSHOT_BYTES },
    },
  });
  const state = await foldedAnew(t, { node, storageUrl, costly: waitingStructs(36_000, 1_000_000) });
  assert.ok(Buffer.from(state).includes('garbage'), 'its garbage was not collected');
});
