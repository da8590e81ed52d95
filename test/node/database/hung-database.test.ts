// A node whose database hangs: requests that need a read are answered `unavailable`, edits wait, and
// everything goes on afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestNode } from '../../support/node.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { startSilentProxy } from '../../support/silent-proxy.ts';
import { WireClient } from '../../support/wire-client.ts';

test('a hung database: opening is unavailable within its time, an edit waits and commits once', async (t) => {
  // Database and proxy end after the node, which can end only if its database answers.
  const afterwards: (() => unknown)[] = [];
  const later = { after: (close: () => unknown) => void afterwards.unshift(close) };
  const proxy = await startSilentProxy(later, await freshDatabase(later));
  t.after(() => proxy.speak());
  const node = await startTestNode(t, {
    storageUrl: proxy.url,
    storage: { answerTimeoutMs: '1s', connectTimeoutMs: '1s' },
  });
  t.after(async () => {
    for (const close of afterwards) await close();
  });
  const client = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
  await client.open('acme/known', 'json');
  proxy.silence();
  client.send({
    type: 'submit',
    doc: 'acme/known',
    seq: 1,
    base: 0,
    op: [{ op: 'add', path: '/x', value: 1 }],
  });
  client.send({ type: 'open', doc: 'acme/unknown', kind: 'json' });
  const refused = await client.next('error', (message) => message.doc === 'acme/unknown');
  assert.equal(refused.code, 'unavailable');
  assert.equal(client.received.filter(({ type }) => type === 'commit').length, 0);
  proxy.speak();
  const commit = await client.answer('acme/known', 1);
  assert.deepEqual([commit.type, commit.version], ['commit', 1]);
  await client.open('acme/unknown', 'json');
});
