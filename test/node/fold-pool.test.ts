// A folding thread that cannot start, and a fold that takes too long: the process that serves edits lives on.
// fold-pool.long.ts has a document for which Yjs takes too long.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startTestNode } from '../support/node.ts';
import { freshDatabase } from '../support/postgres.ts';
import { foldedAnew, SNAPSHOT_BYTES } from './folded-anew.ts';

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
  const state = await foldedAnew(t, { node, storageUrl });
  assert.ok(Buffer.from(state).includes('garbage'), 'its garbage was not collected');
});
