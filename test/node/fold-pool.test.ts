// A folding thread that cannot start, and a fold that takes too long: the process that serves edits lives on.
// fold-pool.long.ts has a document for which Yjs takes too long.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import postgres from 'postgres';
import * as Y from 'yjs';
import { msgpackCodec } from '../../protocol/codec.ts';
import { startTestNode } from '../support/node.ts';
import { freshDatabase } from '../support/postgres.ts';
import { WireClient } from '../support/wire-client.ts';

// No thread can start in a deleted folder.
test('a folding thread that cannot start is told of, and does not end the process', async () => {
  const program = `
    import { mkdtempSync, rmdirSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { join } from 'node:path';
    import { startFoldPool } from ${JSON.stringify(new URL('../../src/compute/fold-pool.js', import.meta.url).href)};
    const gone = mkdtempSync(join(tmpdir(), 'troupe-gone-'));
    process.chdir(gone);
    rmdirSync(gone);
    const onEnded = () => {
      console.log('told');
      process.chdir(tmpdir());
      setTimeout(() => void pool.stop().then(() => console.log('stopped')), 100);
    };
    const pool = startFoldPool({ threads: 1, timeoutMs: 60_000, onEnded });
    pool.fold({ request: { doc: 1 } }).catch(() => console.log('not made'));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  assert.match(stdout, /^told$/m);
  assert.match(stdout, /^stopped$/m);
});

/** Bytes of patches after which a snapshot is due. */
const SNAPSHOT_BYTES = 1_024;

test('a fold that takes too long is stopped, and a yjs document is folded without garbage collection', async (t) => {
  const storageUrl = await freshDatabase(t);
  const node = await startTestNode(t, {
    storageUrl,
    foldModule: new URL('../support/slow-fold.js', import.meta.url),
    config: {
      compute: { foldTimeoutMs: 2_000 },
      snapshot: { minBytes: SNAPSHOT_BYTES },
    },
  });
  const client = await WireClient.connect(t, node.socketUrl, { client: 'somebody', codec: msgpackCodec });
  await client.open('acme/costly', 'yjs');
  const doc = new Y.Doc({ gc: false });
  doc.getText('text').insert(0, 'garbage');
  doc.getText('text').delete(0, 7);
  const answer = await client.submit('acme/costly', 1, Y.encodeStateAsUpdate(doc));
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
