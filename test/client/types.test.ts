// The types of the package as applications resolve them, TypeScript for bundlers and for Node; and the
// examples of docs/client.md.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { packageDirectory } from '../../src/cli/version.ts';
import { blockWith } from '../examples/blocks.ts';

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

/**
 * The examples of docs/client.md as modules, with declarations of the names that they expect of an
 * application.
 */
function examples(): Record<string, string> {
  const quill = blockWith('docs/client.md', 'bindQuill(') + blockWith('docs/client.md', "client.on('failed'");
  const react = blockWith('docs/client.md', 'useSyncExternalStore(');
  return {
    'styles.d.ts': "declare module '*.css';\n",
    'quill.ts': quill,
    'node.ts': blockWith('docs/client.md', "from 'ws'"),
    'react.tsx': `import type { RichTextDocument, TroupeClient } from 'troupe/client';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
${react}
export { People, useDocument };
`,
  };
}

for (const [moduleResolution, module] of [
  ['bundler', 'esnext'],
  ['nodenext', 'nodenext'],
] as const) {
  test(`content and deltas are typed under moduleResolution ${moduleResolution}`, async (t) => {
    await compile(t, { 'application.ts': APPLICATION }, [
      '--moduleResolution',
      moduleResolution,
      '--module',
      module,
    ]);
  });
}

test('the examples of docs/client.md are right as they stand', async (t) => {
  const options = [
    '--moduleResolution',
    'bundler',
    '--module',
    'esnext',
    '--jsx',
    'react-jsx',
    '--skipLibCheck',
  ];
  await compile(t, examples(), options);
});

async function compile(t: TestContext, files: Record<string, string>, options: string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-types-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'troupe'));
  for (const used of ['@types', 'react', 'quill', 'quill-cursors', 'ws']) {
    symlinkSync(join(root, 'node_modules', used), join(folder, 'node_modules', used));
  }
  for (const [name, source] of Object.entries(files)) writeFileSync(join(folder, name), source);
  const flags = ['--noEmit', '--strict', '--ignoreConfig', '--types', '', '--target', 'es2023'];
  const rest = ['--lib', 'es2023,dom,esnext.disposable', ...Object.keys(files)];
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await run(process.execPath, [tsc, ...flags, ...options, ...rest], { cwd: folder }).catch(
    (error: { stdout?: string }) => assert.fail(error.stdout ?? String(error)),
  );
}
