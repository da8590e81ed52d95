// Seqs that a retryable answer has left open: no higher one passes them, at the gateway, on the way to the owner and
// from one owner to the next.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACK, COMMIT, REFUSED, RESET, type ToGateway } from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import type { Message, WireClient } from '../../support/wire-client.ts';
import { Owner, opened, startGateway } from '../fake-owners.ts';
import { commits, FileNode, holdCommits, inBoth, outcome } from '../wire/contract.ts';

const file = new FileNode({ limits: { submitsPerSecond: 200 } });
/** So few that a slow machine does not make up for them between the submits of one burst. */
const slow = new FileNode({ limits: { submitsPerSecond: 20 } });

/** Returns the answers to these seqs, in order. */
const answers = async (client: WireClient, doc: string, seqs: readonly number[]): Promise<unknown[]> => {
  const all: unknown[] = [];
  for (const seq of seqs) all.push(outcome(await client.answer(doc, seq)));
  return all;
};

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

inBoth('SUBMIT-16 submits behind an overloaded one are overloaded, and no edit is lost', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  const release = await holdCommits(t, file.node.storageUrl);
  for (const seq of range(1, 65)) client.send({ type: 'submit', doc, seq, base: 0, op: [] });
  assert.equal(outcome(await client.next('error')), 'error overloaded');
  await release();
  await commits(client, doc, 0, 64);
  // There is room again, but these seqs stand behind a refused one.
  for (const seq of [66, 67]) client.send({ type: 'submit', doc, seq, base: 0, op: [] });
  const behind = [await client.next('error'), await client.next('error')];
  assert.deepEqual(
    behind.map((m) => [m.code, m.seq, m.retryable, Number(m.retryAfterMs) > 0]),
    [
      ['overloaded', 66, true, true],
      ['overloaded', 67, true, true],
    ],
  );
  for (const seq of [65, 66, 67, 68]) client.send({ type: 'submit', doc, seq, base: 0, op: [] });
  assert.deepEqual(
    (await commits(client, doc, 64, 68)).map((entry) => entry.seq),
    [65, 66, 67, 68],
  );
});

inBoth('SUBMIT-16 each seq that was left open holds up those above it until it comes', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  const release = await holdCommits(t, file.node.storageUrl);
  for (const seq of range(1, 67)) client.send({ type: 'submit', doc, seq, base: 0, op: [] });
  for (let left = 3; left > 0; left--) await client.next('error');
  await release();
  await commits(client, doc, 0, 64);
  // The client sends them again in another order: 67 before 66.
  for (const seq of [65, 67, 66]) client.send({ type: 'submit', doc, seq, base: 0, op: [] });
  assert.equal(outcome(await client.next('error', (m) => m.seq === 67)), 'error overloaded');
  await commits(client, doc, 64, 66);
  assert.equal((await client.submit(doc, 67, [], 0)).version, 67);
});

inBoth(
  'SUBMIT-16 submits behind a rate-limited one are rate-limited, and no edit is lost',
  async (t, codec) => {
    const client = await slow.connect(t, codec);
    const doc = slow.newDoc();
    await client.open(doc, 'json');
    const wanted = new Map(range(1, 70).map((seq) => [seq, false]));
    let committed: number[] = [];
    const errors = new Set<number>();
    let pause: NodeJS.Timeout | undefined;
    t.after(() => clearTimeout(pause));
    const send = (): void => {
      if (pause !== undefined) return;
      for (const [seq, sent] of wanted) {
        // The client keeps to limits.inflight, but not to limits.submitsPerSecond.
        if ([...wanted.values()].filter((is) => is).length >= 60) break;
        if (sent) continue;
        wanted.set(seq, true);
        client.send({ type: 'submit', doc, seq, op: [] });
      }
    };
    send();
    while (wanted.size > 0) {
      const message: Message = await client.take(
        (m) => m.type === 'commit' || m.seq !== undefined,
        'an answer',
      );
      if (message.type === 'commit') {
        const seqs = (message.ops as { seq: number }[]).map((entry) => entry.seq);
        committed = [...committed, ...seqs];
        for (const seq of seqs) wanted.delete(seq);
      } else {
        assert.equal(outcome(message), 'error rate-limited');
        errors.add(Number(message.seq));
        wanted.set(Number(message.seq), false);
        pause ??= setTimeout(() => {
          pause = undefined;
          send();
        }, 1000);
      }
      send();
    }
    assert.ok(errors.size > 0, 'nothing was refused');
    assert.deepEqual(committed, range(1, 70));
  },
);

inBoth(
  'SUBMIT-16 submits behind one on too old a base are too old, until that one comes rebased',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    const many = (name: string) =>
      Array.from({ length: 1100 }, () => ({ op: 'add', path: `/${name}`, value: 1 }));
    assert.equal((await client.submit(doc, 1, many('a'), 0)).type, 'commit');
    // Both are on their way together: the owner refuses the first, and the second too, though it would pass
    // alone.
    client.send({ type: 'submit', doc, seq: 2, base: 0, op: many('b') });
    for (const seq of [3, 4]) client.send({ type: 'submit', doc, seq, base: 1, op: [] });
    assert.deepEqual(await answers(client, doc, [2, 3, 4]), Array(3).fill('error version-too-old'));
    client.send({ type: 'submit', doc, seq: 2, base: 1, op: many('b') });
    for (const seq of [3, 4]) client.send({ type: 'submit', doc, seq, base: 1, op: [] });
    assert.deepEqual(
      (await commits(client, doc, 1, 4)).map((entry) => entry.seq),
      [2, 3, 4],
    );
  },
);

inBoth('SUBMIT-16 a document that is opened anew holds up nothing', async (t, codec) => {
  for (const again of ['open', 'close and open']) {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    const release = await holdCommits(t, file.node.storageUrl);
    for (const seq of range(1, 65)) client.send({ type: 'submit', doc, seq, base: 0, op: [] });
    await client.next('error');
    await release();
    await commits(client, doc, 0, 64);
    if (again !== 'open') client.send({ type: 'close', doc });
    assert.equal((await client.open(doc)).lastSeq, 64);
    assert.equal((await client.submit(doc, 66, [], 0)).type, 'commit');
    assert.equal(outcome(await client.submit(doc, 65, [], 0)), 'reject seq-used');
  }
});

const DOC = 'acme/plan';
const HERE = [shardOf(DOC)];

/** A gateway with one owner, at which one client has the document open. */
function start(options: Parameters<typeof startGateway>[0] = {}) {
  const started = startGateway(options);
  const owner = new Owner();
  started.place(HERE, owner);
  const client = started.connect('client-1');
  client.send({ type: 'open', doc: DOC });
  started.gateway.messages(owner, [opened(owner.opens[0])]);
  const subscriptionId = owner.opens[0]?.subscriptionId ?? 0;
  const refuse = (seq: number): void =>
    started.gateway.messages(owner, [
      [REFUSED, owner.channelId, subscriptionId, seq, 'unavailable', 'not now'],
    ]);
  const errors = (): unknown[] => client.answers('error').map(({ code, seq }) => [code, seq]);
  return { ...started, owner, client, subscriptionId, refuse, errors };
}

test('SUBMIT-16 a seq that an owner has refused holds up later seqs, and no lower one', () => {
  const { client, owner, refuse, errors } = start();
  client.submit(DOC, 5);
  refuse(5);
  client.submit(DOC, 6);
  client.submit(DOC, 4);
  client.submit(DOC, 5);
  client.submit(DOC, 6);
  assert.deepEqual(owner.submits, [5, 4, 5, 6]);
  assert.deepEqual(errors(), [
    ['unavailable', 5],
    ['unavailable', 6],
  ]);
});

test('SUBMIT-16 submits on their way behind a refused one do not reach the next owner before it', () => {
  const { gateway, client, refuse, errors, place } = start();
  for (const seq of [1, 2, 3]) client.submit(DOC, seq);
  refuse(1);
  client.submit(DOC, 1);
  client.submit(DOC, 4);
  // The first owner ends before it has answered 2 and 3, which it would have refused, as it did 4.
  const next = new Owner();
  place(HERE, next);
  gateway.messages(next, [opened(next.opens[0])]);
  assert.deepEqual(next.submits, [1]);
  assert.deepEqual(
    errors(),
    [1, 2, 3, 4].map((seq) => ['unavailable', seq]),
  );
  for (const seq of [2, 3, 4]) client.submit(DOC, seq);
  assert.deepEqual(next.submits, [1, 2, 3, 4]);
  assert.equal(client.session.unansweredBytes, 4 * '[]'.length);
});

test('SUBMIT-16 seqs sent again before their own answer came are in the order sent again for the next owner', () => {
  const { gateway, client, refuse, errors, place } = start();
  for (const seq of [1, 2, 3]) client.submit(DOC, seq);
  refuse(1);
  // By the rule 2 and 3 are refused as well: a client need not wait for the answer to 1.
  for (const seq of [1, 2, 3]) client.submit(DOC, seq);
  const next = new Owner();
  place(HERE, next);
  gateway.messages(next, [opened(next.opens[0])]);
  assert.deepEqual(next.submits, [1, 2, 3]);
  assert.deepEqual(errors(), [['unavailable', 1]]);
});

test('SUBMIT-16 an answer to the first sending does not hold up what the second has committed', () => {
  const { gateway, client, owner, subscriptionId, refuse, errors } = start();
  for (const seq of [1, 2]) client.submit(DOC, seq);
  refuse(1);
  for (const seq of [1, 2]) client.submit(DOC, seq);
  refuse(2);
  gateway.messages(owner, [
    [COMMIT, owner.channelId, 2, new Uint8Array(), null, [subscriptionId, 1, subscriptionId, 2]],
  ]);
  client.submit(DOC, 3);
  assert.deepEqual(owner.submits, [1, 2, 1, 2, 3]);
  assert.deepEqual(errors(), [
    ['unavailable', 1],
    ['unavailable', 2],
  ]);
});

test('SUBMIT-16 a late refusal of what was sent before the document was opened anew holds up nothing', () => {
  const { gateway, client, owner, refuse } = start();
  for (const seq of [1, 2]) client.submit(DOC, seq);
  refuse(1);
  client.send({ type: 'open', doc: DOC });
  refuse(2);
  gateway.messages(owner, [opened(owner.opens[1])]);
  client.submit(DOC, 3);
  assert.deepEqual(owner.submits, [1, 2, 3]);
});

test('SUBMIT-16 submits that wait past ownerWaitMs stay in their order when an owner comes', () => {
  const { gateway, client, owner, errors, place, lose, tick } = start({ ownerWaitMs: 1000 });
  lose(HERE, owner);
  for (const seq of [1, 2]) client.submit(DOC, seq);
  tick(1000);
  const next = new Owner();
  place(HERE, next);
  gateway.messages(next, [opened(next.opens[0])]);
  for (const seq of [3, 1, 2, 3]) client.submit(DOC, seq);
  assert.deepEqual(next.submits, [1, 2, 3]);
  assert.deepEqual(
    errors(),
    [1, 2, 3].map((seq) => ['unavailable', seq]),
  );
});

test('SUBMIT-16 a document that starts over resumes with what was not refused', () => {
  const { gateway, client, owner, refuse, errors, tick } = start();
  for (const seq of [1, 2, 3]) client.submit(DOC, seq);
  refuse(2);
  gateway.messages(owner, [[RESET, owner.channelId]]);
  tick(60_000);
  gateway.messages(owner, [opened(owner.opens[1])]);
  assert.deepEqual(owner.submits, [1, 2, 3, 1]);
  assert.deepEqual(errors(), [
    ['unavailable', 2],
    ['unavailable', 3],
  ]);
});

/** A client comes back with another socket and sends all its patches again, before its document is opened. */
function sendsAllAgain(lastSeq: number) {
  const { connect, gateway, owner } = start();
  const back = connect('client-2');
  back.send({ type: 'open', doc: DOC });
  const at = owner.opens.at(-1);
  for (let seq = 1; seq <= 66; seq++) back.submit(DOC, seq);
  const refused = () => back.answers('error').map(({ code, seq }) => [code, seq]);
  assert.deepEqual(refused(), [
    ['overloaded', 65],
    ['overloaded', 66],
  ]);
  // The document comes as a snapshot, which names no seqs. `lastSeq` tells the client which of them have
  // committed.
  const acks = Array.from(
    { length: 64 },
    (_, n): ToGateway => [ACK, owner.channelId, at?.subscriptionId ?? 0, n + 1, n + 1],
  );
  gateway.messages(owner, [opened(at, 70, [], lastSeq), ...acks]);
  back.submit(DOC, 67);
  return { refused, reached: owner.submits.includes(67) };
}

test('SUBMIT-16 a seq that had committed before it was left open holds up nothing: its client does not send it again', () => {
  const { refused, reached } = sendsAllAgain(66);
  assert.equal(reached, true);
  assert.equal(refused().length, 2);
});

test('SUBMIT-16 a seq that has not committed holds up later seqs also after a snapshot', () => {
  const { refused, reached } = sendsAllAgain(65);
  assert.equal(reached, false);
  assert.deepEqual(refused().at(-1), ['overloaded', 67]);
});

test('SUBMIT-16 a copy that is refused after its seq has had its final answer holds up nothing', () => {
  const { gateway, client, owner, subscriptionId, refuse, errors } = start();
  const commit: ToGateway = [COMMIT, owner.channelId, 1, new Uint8Array(), null, [subscriptionId, 1]];
  const reject: ToGateway = [REFUSED, owner.channelId, subscriptionId, 2, 'test-failed', 'no'];
  for (const [seq, answer] of [
    [1, commit],
    [2, reject],
  ] as const) {
    // The client sends the seq again while the answer is on its way, so it learns from that answer not to send it a third time.
    client.submit(DOC, seq);
    gateway.messages(owner, [answer]);
    client.submit(DOC, seq);
    refuse(seq);
  }
  client.submit(DOC, 3);
  assert.deepEqual(owner.submits, [1, 1, 2, 2, 3]);
  assert.deepEqual(errors(), [
    ['unavailable', 1],
    ['unavailable', 2],
  ]);
});

test('SUBMIT-16 a copy that is sent before the client learns its last seq, and is refused, holds up nothing', () => {
  const { gateway, connect, owner } = start();
  const back = connect('client-2');
  back.send({ type: 'open', doc: DOC });
  const at = owner.opens.at(-1);
  gateway.messages(owner, [opened(at, 9, [], 9)]);
  back.submit(DOC, 9);
  gateway.messages(owner, [
    [REFUSED, owner.channelId, at?.subscriptionId ?? 0, 9, 'overloaded', 'too many messages'],
  ]);
  back.submit(DOC, 10);
  assert.deepEqual(owner.submits, [9, 10]);
});

test('SUBMIT-16 after the document was opened anew the seqs of its earlier content do not count as decided', () => {
  const { gateway, client, owner, subscriptionId } = start();
  client.submit(DOC, 5);
  gateway.messages(owner, [[COMMIT, owner.channelId, 1, new Uint8Array(), null, [subscriptionId, 5]]]);
  client.send({ type: 'open', doc: DOC });
  const again = owner.opens.at(-1);
  gateway.messages(owner, [opened(again)]);
  client.submit(DOC, 1);
  gateway.messages(owner, [
    [REFUSED, owner.channelId, again?.subscriptionId ?? 0, 1, 'unavailable', 'not now'],
  ]);
  client.submit(DOC, 2);
  assert.deepEqual(owner.submits, [5, 1]);
});
