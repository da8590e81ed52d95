// Webhooks of a node that is alone: the receiver is down for a while, and the node is killed meanwhile and starts again.
// webhooks-cluster.test.ts has the same of a cluster.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeProcess } from '../../loadtest/nodes/node-process.ts';
import { freshDatabase } from '../support/postgres.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { ofDocument, receiver, SECRET } from './receiver.ts';

const LIMIT = { timeout: 240_000 };

const add = (value: number) => [{ op: 'add', path: '/x', value }];

test(
  'EVENT-5 EVENT-6 every change is told to a receiver that is down for a while, although the node is killed meanwhile',
  LIMIT,
  async (t) => {
    let isDown = true;
    let refused = 0;
    const { url, received } = await receiver(t, (response) => {
      if (!isDown) return false;
      refused += 1;
      response.writeHead(500).end();
      return true;
    });
    const node = await NodeProcess.start({
      storage: { url: await freshDatabase(t) },
      set: [
        'events.debounceMs=200ms',
        `webhooks.endpoints=${JSON.stringify([{ name: 'one', url }])}`,
        `webhooks.secret=${SECRET}`,
        'webhooks.allowPrivate=true',
        // The time for which a message stays with a node that has died.
        'webhooks.timeoutMs=500ms',
        'workers=1',
      ],
    });
    t.after(() => node.stop());
    const docs = ['acme/a', 'acme/b', 'acme/c', 'acme/d'];
    const heads = new Map<string, number>();
    const edit = async (client: WireClient, doc: string): Promise<void> => {
      const version = (heads.get(doc) ?? 0) + 1;
      assert.equal((await client.submit(doc, version, add(version))).type, 'commit');
      heads.set(doc, version);
    };
    const before = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
    for (const doc of docs) await before.open(doc, 'json');
    for (let lap = 0; lap < 3; lap++) for (const doc of docs) await edit(before, doc);
    await untilSeen('a refused message', () => refused > 0);
    // Marked, and not told yet.
    for (const doc of docs) await edit(before, doc);
    await node.kill();
    await node.restart();
    const after = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
    for (const doc of docs.slice(1)) {
      await after.open(doc, 'json');
      await edit(after, doc);
    }
    isDown = false;
    for (const doc of docs)
      await untilSeen(
        () => `${doc} at ${heads.get(doc)}: ${JSON.stringify(received)}`,
        () => ofDocument(received, doc).at(-1)?.version === heads.get(doc),
      );
    for (const doc of docs) {
      const [created, ...changed] = ofDocument(received, doc);
      assert.equal(created?.type, 'document.created');
      let last = 0;
      for (const { type, version, users } of changed) {
        assert.equal(type, 'document.changed');
        assert.ok(version > last, 'none twice in a row without a change');
        assert.deepEqual(users, ['anonymous']);
        last = version;
      }
    }
  },
);
