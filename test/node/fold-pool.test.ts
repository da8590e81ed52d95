// A folding thread that cannot start: its snapshot is not made, and the process that serves edits lives on.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

// No thread starts in a folder that is gone.
test('a folding thread that cannot start is told of, and does not end the process', async () => {
  const program = `
    import { mkdtempSync, rmdirSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { join } from 'node:path';
    import { startFoldPool } from ${JSON.stringify(new URL('../../src/fold-pool.js', import.meta.url).href)};
    const gone = mkdtempSync(join(tmpdir(), 'troupe-gone-'));
    process.chdir(gone);
    rmdirSync(gone);
    const pool = startFoldPool(1, () => {
      console.log('told');
      process.chdir(tmpdir());
      setTimeout(() => void pool.stop().then(() => console.log('stopped')), 100);
    });
    pool.fold({}).catch(() => console.log('not made'));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  assert.match(stdout, /^told$/m);
  assert.match(stdout, /^stopped$/m);
});
