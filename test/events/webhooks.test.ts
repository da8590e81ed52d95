// Webhooks of a real node: a receiver that hangs, and the addresses to which nothing is sent. The receivers check signatures
// with the library of Standard Webhooks. webhooks-cluster.test.ts has a receiver that is down and a node that is killed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEventStore } from '../../actors/storage/store-postgres.ts';
import { addressOf, isPublic, RefusedAddress } from '../../src/events/webhooks/addresses.ts';
import { bodyOf, post } from '../../src/events/webhooks/post.ts';
import { startTestNode } from '../support/node.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { receiver, SECRET } from './receiver.ts';

const LIMIT = { timeout: 240_000 };

const add = (value: number) => [{ op: 'add', path: '/x', value }];

test('EVENT-6 a receiver that hangs holds up neither another one nor edits', LIMIT, async (t) => {
  let hanging = 0;
  const hangs = await receiver(t, () => {
    hanging += 1;
    return true;
  });
  const answers = await receiver(t);
  const node = await startTestNode(t, {
    config: {
      events: { debounceMs: 100 },
      webhooks: {
        endpoints: [
          { name: 'hangs', url: hangs.url },
          { name: 'answers', url: answers.url, match: ['acme/p*'] },
        ],
        secret: SECRET,
        allowPrivate: true,
        timeoutMs: 60_000,
      },
    },
  });
  const client = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
  for (const doc of ['acme/plan', 'acme/other']) {
    await client.open(doc, 'json');
    assert.equal((await client.submit(doc, 1, add(1))).type, 'commit');
  }
  await untilSeen('the change at the other receiver', () =>
    answers.received.some(({ type }) => type === 'document.changed'),
  );
  await untilSeen('a request that hangs', () => hanging > 0);
  assert.equal((await client.submit('acme/plan', 2, add(2))).type, 'commit');
  await untilSeen('the next change', () => answers.received.some(({ version }) => version === 2));
  assert.deepEqual(new Set(answers.received.map(({ doc }) => doc)), new Set(['acme/plan']));
  assert.deepEqual(hangs.received, []);
  assert.deepEqual(answers.received.find(({ type }) => type === 'document.created')?.users, ['anonymous']);
  const store = createEventStore({ url: node.storageUrl });
  t.after(() => store.close());
  // The node removes a message after its answer has come.
  await untilSeen('no message for the other receiver', async () =>
    (await store.waiting(10)).every(({ endpoint }) => endpoint === 'hangs'),
  );
  // A node that stops gives the requests up at once. The next start sends the messages again.
  await node.stop();
  const left = await store.waiting(10);
  assert.deepEqual(new Set(left.map(({ endpoint }) => endpoint)), new Set(['hangs']));
  assert.ok(left.some(({ problem }) => problem === 'the node stops'));
});

const OPTIONS = {
  ...{ secret: SECRET, timeoutMs: 5_000, allowPrivate: false, time: Date.now },
  signal: new AbortController().signal,
};
const BODY = bodyOf({
  type: 'changed',
  doc: 'acme/plan',
  version: 1,
  users: [],
  at: '2026-01-02T03:04:05.000Z',
});

test('EVENT-7 addresses that are not public are refused, in every form and behind every name', async () => {
  for (const address of [
    ...['127.0.0.1', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'],
    ...['224.0.0.1', '255.255.255.255', '192.0.2.1', '::1', '::', 'fe80::1', 'fc00::1', 'ff02::1'],
    ...['::ffff:127.0.0.1', '::ffff:10.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', '2001:db8::1', 'nonsense'],
  ])
    assert.equal(isPublic(address), false, address);
  for (const address of ['93.184.216.34', '2606:2800:220:1:248:1893:25c8:1946'])
    assert.ok(isPublic(address), address);
  const none = () => assert.fail('a literal address is not looked up');
  // A URL writes these forms as 127.0.0.1.
  for (const host of ['127.0.0.1', '[::1]', '[::ffff:7f00:1]', '0x7f.1', '2130706433', '017700000001'])
    await assert.rejects(addressOf(new URL(`http://${host}/`).hostname, none, false), RefusedAddress, host);
  const mixed = async () => [
    { address: '93.184.216.34', family: 4 as const },
    { address: '127.0.0.1', family: 4 as const },
  ];
  await assert.rejects(addressOf('mixed.example', mixed, false), RefusedAddress);
  assert.equal((await addressOf('mixed.example', mixed, true)).address, '93.184.216.34');
});

test('EVENT-7 the connection goes to the address that was checked: a name is looked up once', async (t) => {
  const { url, received } = await receiver(t);
  let lookups = 0;
  const resolve = async () => {
    lookups += 1;
    return [{ address: '127.0.0.1', family: 4 as const }];
  };
  const named = new URL(url);
  named.hostname = 'receiver.example';
  await post(named, 'one-1', BODY, { ...OPTIONS, allowPrivate: true, resolve });
  assert.deepEqual([lookups, received.map(({ id }) => id)], [1, ['one-1']]);
  await assert.rejects(post(named, 'one-2', BODY, { ...OPTIONS, resolve }), RefusedAddress);
  assert.equal(received.length, 1);
});

test('EVENT-7 redirects are not followed, and long answers are cut off', async (t) => {
  const elsewhere = await receiver(t);
  const redirects = await receiver(t, (response) => {
    response.writeHead(307, { location: elsewhere.url }).end();
    return true;
  });
  const talks = await receiver(t, (response) => {
    response.writeHead(200);
    response.end('x'.repeat(1_000_000));
    return true;
  });
  const resolve = async () => [];
  const options = { ...OPTIONS, allowPrivate: true, resolve };
  await assert.rejects(post(new URL(redirects.url), 'one-1', BODY, options), /status 307/);
  await assert.rejects(post(new URL(talks.url), 'one-1', BODY, options), /the answer is too long/);
  assert.deepEqual(elsewhere.received, []);
});
