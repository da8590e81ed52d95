// The types of the package as applications resolve them: TypeScript for bundlers, and for Node.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/cli/version.ts';

const root = packageDirectory();
const run = promisify(execFile);

const APPLICATION = `import { TroupeClient } from 'troupe/client';
type IsAny<T> = 0 extends 1 & T ? true : false;
const client = new TroupeClient({ urls: ['ws://127.0.0.1/v1/socket'] });
const doc = client.open('acme/plan', 'rich-text');
const content: IsAny<typeof doc.content> = false;
doc.on('change', ({ delta }) => {
  const change: IsAny<typeof delta> = false;
  console.log(change, content, delta.ops.length, doc.content.length());
});
`;

for (const [moduleResolution, module] of [
  ['bundler', 'esnext'],
  ['nodenext', 'nodenext'],
] as const) {
  test(`content and deltas are typed under moduleResolution ${moduleResolution}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-types-'));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'troupe'));
    writeFileSync(join(folder, 'application.ts'), APPLICATION);
    const flags = ['--noEmit', '--strict', '--ignoreConfig', '--types', '', '--target', 'es2023'];
    const rest = ['--lib', 'es2023,dom,esnext.disposable', '--module', module, 'application.ts'];
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const options = [tsc, ...flags, '--moduleResolution', moduleResolution, ...rest];
    await run(process.execPath, options, { cwd: folder }).catch((error: { stdout?: string }) =>
      assert.fail(error.stdout ?? String(error)),
    );
  });
}
