// The whole session that docs/protocol.md shows, played against a real node with the frames as they are
// printed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileNode } from '../gateway/wire/contract.ts';
import { type Message, WireClient } from '../support/wire-client.ts';
import { blockWith } from './blocks.ts';

const BOB = 'bob-x1x2x3x4';

const shared = new FileNode();

test('OPEN-4 SUBMIT-7 the session of the contract goes as it is printed', async (t) => {
  const { node } = shared;
  const bob = await WireClient.connect(t, node.socketUrl, { client: BOB });
  let ada: WireClient | undefined;
  /** The values that differ from node to node, by the value that the contract prints. */
  const printed = new Map<unknown, unknown>();

  for (const line of blockWith('docs/protocol.md', 'GET /v1/socket').split('\n')) {
    const frame = line.slice(2);
    if (line.startsWith('> ')) {
      const message: Message = JSON.parse(frame);
      if (message.type === 'hello') {
        ada?.socket.terminate();
        ada = await WireClient.connect(t, node.socketUrl);
        if (printed.size > 0) await whileAdaIsAway(bob);
      }
      if (
        message.type === 'submit' &&
        message.seq === 2 &&
        bob.received.every(({ type }) => type !== 'opened')
      )
        await beforeAda(bob);
      const { history } = message;
      const ours = [...printed].find(([, theirs]) => theirs === history);
      ada?.send(ours === undefined ? message : { ...message, history: ours[0] });
    }
    if (line.startsWith('< ')) {
      assert.ok(ada);
      const expected: Message = JSON.parse(frame.replace('{…}', '"…"'));
      const came = await answerLike(ada, expected);
      for (const key of ['node', 'time', 'history']) {
        if (key in came) printed.set(came[key], expected[key]);
        if (key in expected) assert.equal(typeof came[key], typeof expected[key]);
      }
      const limits = expected.limits === '…' ? { limits: '…' } : {};
      const shown = Object.fromEntries(
        Object.entries(came).map(([key, value]) => [key, printed.get(value) ?? value]),
      );
      assert.deepEqual({ ...shown, ...limits }, expected, line);
    }
  }
});

/** Bob's patch commits first, while Ada's is on its way. */
async function beforeAda(bob: WireClient): Promise<void> {
  await bob.open('acme/plan', 'rich-text');
  await bob.submit('acme/plan', 1, [{ insert: 'Oh. ' }], 1);
  bob.received.push({ type: 'opened' });
}

async function whileAdaIsAway(bob: WireClient): Promise<void> {
  await bob.submit('acme/plan', 2, [{ delete: 4 }], 3);
  bob.send({ type: 'presence', doc: 'acme/plan', data: { name: 'Bob', at: 4 } });
  await bob.settled();
}

/** The next message of this type. Commits that were divided between batches are joined. */
async function answerLike(ada: WireClient, expected: Message): Promise<Message> {
  const came = await ada.next(expected.type);
  if (came.type !== 'commit') return came;
  let whole = came;
  while (Number(whole.version) < Number(expected.version)) {
    const next = await ada.next('commit');
    whole = { ...next, ops: [whole.ops, next.ops].flat() };
  }
  return whole;
}
