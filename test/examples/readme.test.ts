// The client of README.md, as it is printed there, against a real node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../cli/spawn.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { blockWith } from './blocks.ts';

const shared = new FileNode();

test('DUR-1 the client in README.md adds its task and prints it as durable', {
  timeout: 120_000,
}, async (t) => {
  const code = blockWith('README.md', "from 'ws'");
  assert.ok(code.split('\n').length < 30, 'it is as short as the heading says');
  const printed = code.replace('ws://127.0.0.1:8080/', shared.node.url.replace(/^http/, 'ws'));
  assert.notEqual(printed, code);
  const client = start(t, ['--input-type=module', '--eval', printed]);
  await client.line(/^version 0 \{\}$/);
  await client.line(/^durable as version 1 \[/);
});
