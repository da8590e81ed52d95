// The examples of docs/yjs.md, as they are printed there, against a real node: each provider edits a document that
// HTTP then has.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { build } from 'esbuild';
import * as Y from 'yjs';
import { packageDirectory } from '../../src/cli/version.ts';
import { start } from '../cli/spawn.ts';
import { startTestNode } from '../support/node.ts';
import { until } from '../support/until.ts';
import { blockWith } from './blocks.ts';

const DOCUMENT = 'docs/yjs.md';

test('the examples of both providers edit one document, with nothing changed but the address', {
  timeout: 120_000,
}, async (t) => {
  const node = await startTestNode(t);
  const textOfPlan = async (): Promise<string> => {
    const response = await fetch(new URL('v1/docs/acme/plan', node.url));
    if (response.status === 404) return '';
    const { content } = (await response.json()) as { content: string };
    const doc = new Y.Doc();
    Y.applyUpdate(doc, Buffer.from(content, 'base64'));
    return doc.getText('t').toString();
  };
  const port = String(node.port);
  await run(
    t,
    port,
    `${blockWith(DOCUMENT, 'new WebsocketProvider(')}\nydoc.getText('t').insert(0, 'one ');`,
  );
  await until(async () => (await textOfPlan()) === 'one ');
  await run(
    t,
    port,
    `${blockWith(DOCUMENT, 'new HocuspocusProvider(')}\nprovider.document.getText('t').insert(0, 'two ');`,
  );
  await until(async () => (await textOfPlan()).length === 8);
  assert.match(await textOfPlan(), /^(one two|two one) $/);
});

/** Runs a module for browsers as a program, with the WebSocket and the application's own service that it needs. */
async function run(t: TestContext, port: string, code: string): Promise<void> {
  const contents = code.replace('ws://127.0.0.1:8080/', `ws://127.0.0.1:${port}/`);
  assert.notEqual(contents, code, 'the block names the address of a node');
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: packageDirectory(), loader: 'ts' },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    banner: {
      js: `import { createRequire as requireOf } from 'node:module';
const require = requireOf('${packageDirectory()}/index.js');
globalThis.WebSocket = require('ws');
globalThis.fetch = async () => new Response('');`,
    },
  });
  const folder = await mkdtemp(join(tmpdir(), 'troupe-yjs-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'example.mjs');
  await writeFile(file, outputFiles[0]?.text ?? '');
  start(t, [file]);
}
