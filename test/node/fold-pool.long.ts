// A fold of a yjs document that Yjs itself makes too slow. fold-pool.test.ts has a fold that is slow by a module of the tests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as encoding from 'lib0/encoding';
import postgres from 'postgres';
import * as Y from 'yjs';
import { msgpackCodec } from '../../protocol/codec.ts';
import { startTestNode } from '../support/node.ts';
import { freshDatabase } from '../support/postgres.ts';
import { WireClient } from '../support/wire-client.ts';

/** Bytes of patches after which a snapshot is due. */
const SNAPSHOT_BYTES = 1_024;

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
  const client = await WireClient.connect(t, node.socketUrl, { client: 'somebody', codec: msgpackCodec });
  await client.open('acme/costly', 'yjs');
  const doc = new Y.Doc({ gc: false });
  doc.getText('text').insert(0, 'garbage');
  doc.getText('text').delete(0, 7);
  const update = Y.mergeUpdates([waitingStructs(36_000, 1_000_000), Y.encodeStateAsUpdate(doc)]);
  const answer = await client.submit('acme/costly', 1, update);
  assert.equal(answer.type, 'commit');
  const sql = postgres(storageUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  t.after(() => sql.end({ timeout: 1 }));
  const newest = async () => (await sql<{ state: Uint8Array }[]>`SELECT state FROM snapshot`)[0];
  const later = new Y.Doc();
  later.getText('text').insert(0, 'x'.repeat(SNAPSHOT_BYTES));
  const more = Y.encodeStateAsUpdate(later);
  let snapshot = await newest();
  // On a busy machine the second fold may also take too long. The next patch starts another.
  for (let seq = 2; snapshot === undefined; seq++) {
    await client.submit('acme/costly', seq, more);
    for (let looks = 0; looks < 20 && snapshot === undefined; looks++) {
      await sql`SELECT pg_sleep(0.05)`;
      snapshot = await newest();
    }
  }
  assert.ok(Buffer.from(snapshot.state).includes('garbage'), 'its garbage was not collected');
});
