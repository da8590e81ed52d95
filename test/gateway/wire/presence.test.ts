// Presence: others are told of it, its own client never, and it ends with its subscription.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonCodec, msgpackCodec } from '../../../protocol/codec.ts';
import type { WireClient } from '../../support/wire-client.ts';
import { commits, FileNode, holdCommits, inBoth, settledAt } from './contract.ts';

const file = new FileNode();

/** Waits until the client has been told that `of` is `data`. */
const told = (client: WireClient, of: WireClient, data: unknown) =>
  client.next('presence', (m) => {
    const state = (m.states as Record<string, unknown>)[String(of.id)];
    return state !== undefined && JSON.stringify(state) === JSON.stringify(data);
  });

inBoth(
  'PRES-1 PRES-2 a state reaches the others in both subprotocols, null removes it, success has no answer',
  async (t, codec) => {
    const [ada, bob, eve] = [
      await file.connect(t, codec),
      await file.connect(t, jsonCodec),
      await file.connect(t, msgpackCodec),
    ];
    const doc = file.newDoc();
    for (const client of [ada, bob, eve]) await client.open(doc, 'json');
    for (const data of [
      { name: 'Ada', at: [1, 2, { deep: '😀' }] },
      0,
      false,
      '',
      [],
      { __proto__x: null },
      1.5,
      null,
    ]) {
      ada.send({ type: 'presence', doc, data, id: 1 });
      await told(bob, ada, data);
      await told(eve, ada, data);
    }
    await ada.settled();
    assert.deepEqual(ada.received, []);
  },
);

inBoth(
  'PRES-2 OPEN-8 a client that opens later finds the states of the others, not its own',
  async (t, codec) => {
    const id = file.newClient();
    const [ada, bob] = [await file.connect(t, codec), await file.connect(t, codec, id)];
    const doc = file.newDoc();
    await ada.open(doc, 'json');
    await bob.open(doc);
    ada.send({ type: 'presence', doc, data: { name: 'Ada' } });
    bob.send({ type: 'presence', doc, data: 'Bob' });
    await told(bob, ada, { name: 'Ada' });
    await told(ada, bob, 'Bob');
    const eve = await file.connect(t, codec);
    assert.deepEqual((await eve.open(doc)).presence, { [String(ada.id)]: { name: 'Ada' }, [id]: 'Bob' });
    assert.deepEqual((await bob.open(doc)).presence, { [String(ada.id)]: { name: 'Ada' } });
  },
);

inBoth('PRES-3 many states in one tick: the newest counts, and each client has its own', async (t, codec) => {
  const [ada, bob] = [await file.connect(t, codec), await file.connect(t, codec)];
  const doc = file.newDoc();
  await ada.open(doc, 'json');
  await bob.open(doc);
  for (let n = 1; n <= 25; n++) ada.send({ type: 'presence', doc, data: n });
  bob.send({ type: 'presence', doc, data: 'bob' });
  await told(bob, ada, 25);
  assert.deepEqual((await ada.next('presence')).states, { [String(bob.id)]: 'bob' });
});

inBoth(
  'PRES-4 presence goes at once with close, with the socket, when it is lost, and when it is replaced',
  async (t, codec) => {
    const ada = await file.connect(t, codec);
    const doc = file.newDoc();
    await ada.open(doc, 'json');
    for (const leave of ['close', 'goodbye', 'cut', 'replace'] as const) {
      const bob = await file.connect(t, codec);
      await bob.open(doc);
      bob.send({ type: 'presence', doc, data: leave });
      await told(ada, bob, leave);
      if (leave === 'close') bob.send({ type: 'close', doc });
      else if (leave === 'goodbye') bob.close();
      else if (leave === 'cut') bob.socket.terminate();
      else {
        const again = await file.connect(t, codec, String(bob.id));
        await again.open(doc);
        await told(ada, bob, null);
        again.send({ type: 'presence', doc, data: 'again' });
        await told(ada, bob, 'again');
        again.send({ type: 'presence', doc, data: null });
      }
      await told(ada, bob, null);
    }
    const late = await file.connect(t, codec);
    assert.deepEqual((await late.open(doc)).presence, {});
  },
);

test('PRES-4 the presence of a socket that has gone silent is hidden, and is there again when it is heard', async (t) => {
  const [ada, bob, eve] = [await file.connect(t), await file.connect(t), await file.connect(t)];
  const doc = file.newDoc();
  for (const client of [ada, bob, eve]) await client.open(doc, 'json');
  bob.send({ type: 'presence', doc, data: 'bob' });
  await told(ada, bob, 'bob');
  eve.send({ type: 'presence', doc, data: 'eve' });
  await told(ada, eve, 'eve');
  // Bob answers nothing, as a client whose network is gone. The other client sends nothing either, but
  // answers pings.
  bob.socket.pause();
  await told(ada, bob, null);
  const late = await file.connect(t);
  assert.deepEqual((await late.open(doc)).presence, { [String(eve.id)]: 'eve' });
  bob.socket.resume();
  await told(ada, bob, 'bob');
  assert.deepEqual(ada.received, []);
});

inBoth(
  'PRES-3 a state set while somebody is on the way to opening reaches it, and one taken back does not stay',
  async (t, codec) => {
    const [ada, bob, eve] = [
      await file.connect(t, codec),
      await file.connect(t, codec),
      await file.connect(t, codec),
    ];
    const doc = file.newDoc();
    await ada.open(doc, 'json');
    await bob.open(doc);
    bob.send({ type: 'presence', doc, data: 'here' });
    await told(ada, bob, 'here');
    const release = await holdCommits(t, file.node.storageUrl);
    ada.send({ type: 'submit', doc, seq: 1, op: [] });
    await ada.settled();
    eve.send({ type: 'open', doc });
    await eve.settled();
    ada.send({ type: 'presence', doc, data: 'new' });
    bob.send({ type: 'presence', doc, data: null });
    await told(bob, ada, 'new');
    await told(ada, bob, null);
    await release();
    const { presence } = await eve.next('opened');
    const states = { ...(presence as Record<string, unknown>) };
    while (states[String(ada.id)] !== 'new' || (states[String(bob.id)] ?? null) !== null)
      Object.assign(states, (await eve.next('presence')).states);
  },
);

inBoth(
  'PRES-3 PRES-5 presence behind the open, without waiting, is taken; before it, it is not-open',
  async (t, codec) => {
    const [ada, bob] = [await file.connect(t, codec), await file.connect(t, codec)];
    const doc = file.newDoc();
    await ada.open(doc, 'json');
    bob.send({ type: 'presence', doc, data: 1, id: 'early' });
    bob.send({ type: 'open', doc });
    bob.send({ type: 'presence', doc, data: 2 });
    const error = await bob.next('error');
    assert.deepEqual([error.code, error.id], ['not-open', 'early']);
    await told(ada, bob, 2);
  },
);

test('PRES-2 presence of one document is not told in another', async (t) => {
  const [ada, bob] = [await file.connect(t), await file.connect(t)];
  const [here, there] = [file.newDoc(), file.newDoc()];
  for (const client of [ada, bob]) await client.open(here, 'json');
  await bob.open(there, 'json');
  ada.send({ type: 'presence', doc: here, data: 'x' });
  assert.equal((await told(bob, ada, 'x')).doc, here);
  ada.send({ type: 'submit', doc: here, seq: 1, op: [] });
  await commits(bob, here, 0, 1);
  await settledAt(bob, there);
  assert.deepEqual(bob.received, []);
});
