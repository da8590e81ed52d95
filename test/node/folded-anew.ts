// A yjs document with garbage, of which a node makes a snapshot although a fold that collects the garbage takes too long.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import postgres from 'postgres';
import * as Y from 'yjs';
import { msgpackCodec } from '../../protocol/codec.ts';
import type { TestNode } from '../support/node.ts';
import { WireClient } from '../support/wire-client.ts';

/** Bytes of patches after which a snapshot is due. */
export const SNAPSHOT_BYTES = 1_024;

export interface FoldedAnewOptions {
  readonly node: TestNode;
  readonly storageUrl: string;
  /** An update that makes the document's fold slow. */
  readonly costly?: Uint8Array;
}

/** Returns the state of the first snapshot, which holds the text `garbage` if garbage was not collected. */
export async function foldedAnew(
  t: TestContext,
  { node, storageUrl, costly }: FoldedAnewOptions,
): Promise<Uint8Array> {
  const client = await WireClient.connect(t, node.socketUrl, { client: 'somebody', codec: msgpackCodec });
  await client.open('acme/costly', 'yjs');
  const doc = new Y.Doc({ gc: false });
  doc.getText('text').insert(0, 'garbage');
  doc.getText('text').delete(0, 7);
  const update = Y.encodeStateAsUpdate(doc);
  const answer = await client.submit(
    'acme/costly',
    1,
    costly === undefined ? update : Y.mergeUpdates([costly, update]),
  );
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
  return snapshot.state;
}
