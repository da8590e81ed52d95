// The example of docs/client.md for Node, as it is printed there, in a process of its own against a real node.
// test/browser/sdk/documented.test.ts has the examples for the browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { build } from 'esbuild';
import { WebSocket } from 'ws';
import { TroupeClient } from '../../client/index.ts';
import { packageDirectory } from '../../src/cli/version.ts';
import { start } from '../cli/spawn.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { at, blockWith } from './blocks.ts';

const DOCUMENT = 'docs/client.md';

const shared = new FileNode();

test('the example for Node adds its task, prints it and ends when it is durable', async (t) => {
  const { node } = shared;
  const { outputFiles } = await build({
    stdin: {
      contents: at(node.socketUrl, blockWith(DOCUMENT, "from 'ws'")),
      resolveDir: packageDirectory(),
      loader: 'ts',
    },
    write: false,
    format: 'esm',
  });
  const program = start(t, ['--input-type=module', '--eval', outputFiles[0]?.text ?? '']);
  await program.line(/^edit \{/);
  assert.equal((await program.ended).code, 0);
  const client = new TroupeClient({ urls: [node.socketUrl], webSocket: WebSocket });
  t.after(() => client.close());
  const doc = client.open('acme/tasks', 'json');
  await doc.ready;
  assert.deepEqual(doc.content, { first: { title: 'Write a client', done: false } });
});
