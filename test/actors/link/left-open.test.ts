// Seqs left open at the owner: submits on their way behind a refused submit are refused as well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeftOpen, MOST_LEFT_OPEN } from '../../../actors/link/left-open.ts';
import {
  JSON_FRAMES,
  jsonOp,
  OPEN,
  REFUSED,
  SUBMIT,
  type ToOwner,
} from '../../../actors/link/link-messages.ts';
import { ActorHarness, DOC } from '../document/actor-harness.ts';

test('SUBMIT-16 open seqs let the lowest pass, then the next, whatever order they came in', () => {
  const open = new LeftOpen();
  assert.equal(open.arrives(7), undefined);
  for (const seq of [5, 9]) open.add(seq, 'overloaded');
  assert.deepEqual(
    [open.arrives(4), open.arrives(7), open.arrives(9)],
    [undefined, 'overloaded', 'overloaded'],
  );
  assert.deepEqual(
    [9, 5, 9, 7, 9, 10].map((seq) => open.arrives(seq)),
    ['overloaded', undefined, 'overloaded', undefined, undefined, undefined],
  );
  assert.ok(open.isEmpty);
});

test('SUBMIT-16 of more open seqs than are kept none passes one that is kept', () => {
  const open = new LeftOpen();
  for (let seq = 1; seq <= 2 * MOST_LEFT_OPEN; seq++) open.add(seq, 'rate-limited');
  for (let seq = 1; seq <= MOST_LEFT_OPEN; seq++) {
    assert.equal(open.arrives(2 * MOST_LEFT_OPEN), 'rate-limited');
    assert.equal(open.arrives(seq), undefined);
  }
});

const submit = (seq: number, text: string): ToOwner => [
  SUBMIT,
  1,
  1,
  seq,
  -1,
  jsonOp(JSON.stringify([{ insert: text }])),
];

const refusals = (harness: ActorHarness): unknown[] =>
  harness.taken().flatMap((m) => (m[0] === REFUSED ? [[m[3], m[4]]] : []));

test('SUBMIT-16 submits behind one that found the mailbox full are turned away, also when they would fit', () => {
  const harness = new ActorHarness({ mailbox: { messages: 100, bytes: 1000 } });
  const { actor } = harness;
  actor.handle(0, [
    OPEN,
    1,
    1,
    { doc: DOC, client: 'client-1', user: 'u', role: 'owner', codec: JSON_FRAMES },
  ]);
  // The document is still being loaded.
  actor.handle(0, submit(1, 'a'));
  actor.handle(0, submit(2, 'b'.repeat(800)));
  actor.handle(0, submit(3, 'c'));
  assert.deepEqual(refusals(harness), [
    [2, 'overloaded'],
    [3, 'overloaded'],
  ]);
  harness.send(submit(3, 'c'));
  assert.deepEqual(refusals(harness), [[3, 'overloaded']]);
  harness.send(submit(3, 'c'));
  assert.deepEqual(refusals(harness), [[3, 'overloaded']], 'also when it has been loaded');
  harness.send(submit(2, 'b'));
  harness.send(submit(3, 'c'));
  assert.deepEqual(refusals(harness), []);
  assert.deepEqual(
    harness.log.map((delta) => delta.seq),
    [1, 2, 3],
  );
});

test('SUBMIT-16 a document that could not be loaded takes no submit past the one that waited for it', () => {
  const harness = new ActorHarness();
  harness.open(1);
  harness.actor.unload();
  harness.unavailable = true;
  harness.send(submit(1, 'a'));
  harness.unavailable = false;
  harness.send(submit(2, 'b'));
  assert.deepEqual(refusals(harness), [
    [1, 'unavailable'],
    [2, 'unavailable'],
  ]);
  for (const seq of [1, 2]) harness.send(submit(seq, 'a'));
  assert.deepEqual(
    harness.log.map((delta) => delta.seq),
    [1, 2],
  );
});

test('SUBMIT-16 a document that is opened anew takes what comes', () => {
  const harness = new ActorHarness();
  harness.open(1);
  harness.actor.unload();
  harness.unavailable = true;
  harness.send(submit(1, 'a'));
  harness.unavailable = false;
  harness.open(2, { client: 'client-1', replaces: 1 });
  harness.send([SUBMIT, 1, 2, 2, -1, jsonOp(JSON.stringify([{ insert: 'b' }]))]);
  assert.deepEqual(
    harness.log.map((delta) => delta.seq),
    [2],
  );
});

test('SUBMIT-16 a seq that had committed before it was turned away holds up nothing: its client does not send it again', () => {
  const harness = new ActorHarness({ mailbox: { messages: 100, bytes: 1000 } });
  harness.open(1);
  for (const seq of [1, 2, 3]) harness.send(submit(seq, 'a'));
  harness.commit();
  harness.actor.unload();
  harness.taken();
  // The client comes back with another socket and sends everything again, before it is told its last seq.
  const request = { doc: DOC, client: 'client-1', user: 'u', role: 'owner', codec: JSON_FRAMES } as const;
  harness.actor.handle(0, [OPEN, 1, 2, request]);
  const again = (seq: number, text: string): ToOwner => [
    SUBMIT,
    1,
    2,
    seq,
    -1,
    jsonOp(JSON.stringify([{ insert: text }])),
  ];
  harness.actor.handle(0, again(1, 'a'));
  harness.actor.handle(0, again(2, 'b'.repeat(800)));
  harness.send(again(3, 'a'));
  assert.deepEqual(refusals(harness), [
    [2, 'overloaded'],
    [3, 'overloaded'],
  ]);
  harness.send(again(4, 'new'));
  assert.deepEqual(refusals(harness), []);
  assert.deepEqual(
    harness.log.map((delta) => delta.seq),
    [1, 2, 3, 4],
  );
});

/** A document whose log is folded: only the store knows that client-1 has committed three seqs. */
function folded(): ActorHarness {
  const harness = new ActorHarness({ mailbox: { messages: 100, bytes: 1000 } });
  harness.open(1);
  for (const seq of [1, 2, 3]) harness.send(submit(seq, 'a'));
  harness.commit();
  harness.actor.unload();
  harness.folded = 3;
  harness.storedClients = ['client-1'];
  harness.taken();
  return harness;
}

test('SUBMIT-16 the same holds if the document leaves memory before the client goes on', () => {
  const harness = folded();
  const request = { doc: DOC, client: 'client-1', user: 'u', role: 'owner', codec: JSON_FRAMES } as const;
  harness.actor.handle(0, [OPEN, 1, 1, { ...request, replaces: 1 }]);
  harness.actor.handle(0, submit(2, 'b'.repeat(800)));
  harness.send(submit(3, 'a'));
  assert.deepEqual(refusals(harness), [
    [2, 'overloaded'],
    [3, 'overloaded'],
  ]);
  harness.actor.unload();
  harness.send(submit(4, 'new'));
  assert.deepEqual(refusals(harness), []);
  assert.equal(harness.log.at(-1)?.seq, 4);
});

test('SUBMIT-16 a seq that was left open while the document was out of memory holds up nothing if it had committed', () => {
  const harness = folded();
  harness.unavailable = true;
  harness.send(submit(3, 'a'));
  harness.unavailable = false;
  assert.deepEqual(refusals(harness), [[3, 'unavailable']]);
  harness.send(submit(4, 'new'));
  assert.deepEqual(refusals(harness), []);
  assert.equal(harness.log.at(-1)?.seq, 4);
});

test('SUBMIT-16 a copy that is turned away while its seq waits in the mailbox holds up nothing once that is rejected', () => {
  const harness = new ActorHarness({ mailbox: { messages: 100, bytes: 1000 } });
  // The document is still being loaded.
  harness.actor.handle(0, [
    OPEN,
    1,
    1,
    { doc: DOC, client: 'client-1', user: 'u', role: 'owner', codec: JSON_FRAMES },
  ]);
  const wrong = (padding: string): ToOwner => [
    SUBMIT,
    1,
    1,
    1,
    -1,
    jsonOp(JSON.stringify([{ insert: 'a', attributes: padding }])),
  ];
  harness.actor.handle(0, wrong(''));
  harness.actor.handle(0, wrong('b'.repeat(800)));
  assert.deepEqual(refusals(harness), [[1, 'overloaded']]);
  harness.commit();
  assert.deepEqual(refusals(harness), [[1, 'bad-op']]);
  harness.send(submit(2, 'b'));
  assert.deepEqual(refusals(harness), []);
  assert.equal(harness.log.at(-1)?.seq, 2);
});
