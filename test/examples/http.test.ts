// The commands of docs/http.md, run in their order as they are printed, with curl, against a real node.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startTestNode } from '../support/node.ts';
import { blocksOf } from './blocks.ts';

const FILE = 'docs/http.md';
/** Each block of commands has one of these at its beginning. every-block.test.ts looks for them here. */
const COMMANDS = [
  'curl -s -X PUT',
  'curl -s http',
  "curl -s 'http",
  'curl -s -X PATCH',
  'TAG=$(curl',
  'for attempt',
  'curl -s -o',
  'curl -s -X DELETE',
  'curl -s -X POST',
];
/** Values that differ from node to node. */
const HISTORY = /\b1xk9v0q3c2z\b/g;
const CURSOR = /"next":"[\w-]+"/;

test('every command of docs/http.md answers as it is printed', async (t) => {
  const node = await startTestNode(t);
  const blocks = blocksOf(FILE);
  assert.ok(blocks.length > 10);
  let history: string | undefined;
  let ran = 0;
  for (const [at, { language, text }] of blocks.entries()) {
    if (language !== 'bash') continue;
    assert.ok(
      COMMANDS.some((command) => text.startsWith(command)),
      text,
    );
    const expected = blocks[at + 1];
    assert.match(expected?.language ?? '', /^(json|text)$/, `the block after ${text} is its output`);
    const script = text
      .replaceAll('http://127.0.0.1:8080', node.url.replace(/\/$/, ''))
      .replace(HISTORY, history ?? 'none');
    const { stdout } = await promisify(execFile)('sh', ['-c', script]);
    history ??= /"history":"([^"]+)"/.exec(stdout)?.[1];
    const wanted = (expected?.text ?? '').replace(HISTORY, history ?? 'none');
    assert.equal(
      stdout.trim().replace(CURSOR, '"next":""'),
      wanted.trim().replace(CURSOR, '"next":""'),
      text,
    );
    ran++;
  }
  assert.ok(ran >= 9);
});
