// Webhooks of a cluster of two nodes with Redis: the receiver is down for a while, and one node is killed for good meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeProcess } from '../../loadtest/nodes/node-process.ts';
import { startTestNode } from '../support/node.ts';
import { freshDatabase } from '../support/postgres.ts';
import { startTestRedis } from '../support/redis.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { ofDocument, receiver, SECRET } from './receiver.ts';

const DOCS = Array.from({ length: 8 }, (_, n) => `acme/doc-${n}`);

test('EVENT-5 EVENT-6 every change is told once in a row, although the receiver is down and a node of two is killed meanwhile', {
  timeout: 240_000,
}, async (t) => {
  let isDown = true;
  let refused = 0;
  const { url, received } = await receiver(t, (response) => {
    if (!isDown) return false;
    refused += 1;
    response.writeHead(500).end();
    return true;
  });
  const closers: (() => unknown)[] = [];
  const atEnd = { after: (close: () => unknown) => void closers.unshift(close) };
  t.after(async () => {
    for (const close of closers) await close();
  });
  const storageUrl = await freshDatabase(atEnd);
  const redis = await startTestRedis(atEnd);
  const config = {
    workers: 1,
    events: { debounceMs: 200 },
    webhooks: {
      endpoints: [{ name: 'one', url }],
      secret: SECRET,
      allowPrivate: true,
      // The time for which a message stays with a node that has died.
      timeoutMs: 500,
    },
    cluster: {
      redis: redis.url,
      secret: 'a secret of the tests',
      link: { port: 0 },
      leaseTtlMs: 1_000,
      renewMs: 200,
    },
  };
  const one = await NodeProcess.start({
    storage: { url: storageUrl },
    set: [
      'node.name=one',
      ...Object.entries(config).map(([key, value]) => `${key}=${JSON.stringify(value)}`),
    ],
  });
  closers.unshift(() => one.stop());
  const other = await startTestNode(t, { storageUrl, config: { ...config, node: { name: 'other' } } });
  closers.unshift(() => other.stop());
  const heads = new Map<string, number>();
  const client = await WireClient.connect(t, other.socketUrl, { client: 'client-other' });
  const doomed = await WireClient.connect(t, one.socketUrl, { client: 'client-one1' });
  for (const doc of DOCS) {
    await client.open(doc, 'json');
    await doomed.open(doc);
  }
  const seqs = new Map<WireClient, number>();
  const edit = async (author: WireClient, doc: string): Promise<void> => {
    const seq = (seqs.get(author) ?? 0) + 1;
    seqs.set(author, seq);
    const answer = await author.submit(doc, seq, [{ op: 'add', path: '/x', value: seq }]);
    assert.equal(answer.type, 'commit');
    heads.set(doc, Number(answer.version));
  };
  for (let lap = 0; lap < 3; lap++)
    for (const doc of DOCS) for (const author of [client, doomed]) await edit(author, doc);
  await untilSeen('a refused message', () => refused > 0);
  // Marked by both nodes, and told by none.
  for (const doc of DOCS) await edit(doomed, doc);
  await one.kill();
  // The documents of both nodes go on with the node that lives.
  for (const doc of DOCS.slice(2)) await edit(client, doc);
  isDown = false;
  for (const doc of DOCS)
    await untilSeen(
      () => `${doc} at ${heads.get(doc)}: ${JSON.stringify(ofDocument(received, doc))}`,
      () => ofDocument(received, doc).at(-1)?.version === heads.get(doc),
    );
  for (const doc of DOCS) {
    const [created, ...changed] = ofDocument(received, doc);
    assert.equal(created?.type, 'document.created');
    let last = 0;
    for (const { type, version, users } of changed) {
      assert.equal(type, 'document.changed');
      assert.deepEqual(users, ['anonymous']);
      assert.ok(version > last, 'none twice in a row without a change');
      last = version;
    }
    assert.equal(last, heads.get(doc));
  }
});
