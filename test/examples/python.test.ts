// docs/examples/python/edit.py against a real node, beside another client: both end with the same text.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import WebSocket from 'ws';
import { packageDirectory } from '../../src/cli/version.ts';
import { start } from '../cli/spawn.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { findPython } from '../support/programs/python.ts';

const SCRIPT = join(packageDirectory(), 'docs/examples/python/edit.py');

/** A process that hangs fails the test, which ends it. */
const LIMIT = { timeout: 120_000 };

const shared = new FileNode();

test('VALUE-4 SUBMIT-7 the client in Python edits along, and counts UTF-16 code units', LIMIT, async (t) => {
  const python = await findPython();
  const url = shared.node.url.replace(/^http/, 'ws').replace(/\/$/, '');

  const socket = new WebSocket(`${url}/v1/socket`, 'troupe.v1.json');
  t.after(() => socket.terminate());
  const send = (message: object) => socket.send(JSON.stringify(message));
  socket.on('open', () => {
    send({ type: 'hello', client: 'test-client' });
    send({ type: 'open', doc: 'demo/notes', kind: 'rich-text' });
  });
  await new Promise<void>((resolve) => {
    socket.on('message', (frame) => {
      const message = JSON.parse(String(frame));
      if (message.type === 'opened') {
        send({
          type: 'submit',
          doc: 'demo/notes',
          seq: 1,
          base: 0,
          op: [{ insert: '😀' }, { insert: { image: 'x' } }],
        });
      }
      if (message.type === 'commit' && message.version === 1) resolve();
    });
  });

  const edit = start(t, [SCRIPT, url, 'demo/notes', 'hé', '👨‍👩‍👧', 'end'], python);
  await edit.line(/^4 😀￼hé 👨‍👩‍👧 end $/);
  // The patch is made on version 1: after the embed, before the text that Python has written.
  send({
    type: 'submit',
    doc: 'demo/notes',
    seq: 2,
    base: 1,
    op: [{ retain: 2 }, { insert: '𝒳' }, { delete: 1 }],
  });
  await edit.line(/^5 😀𝒳hé 👨‍👩‍👧 end $/);

  edit.child.kill('SIGINT');
  const { code, stderr } = await edit.ended;
  assert.equal(code, 1);
  assert.match(stderr, /^ended: KeyboardInterrupt/);
});
