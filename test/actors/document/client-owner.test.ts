// NAME-3: a client id belongs to the user who first used it in a document, for as long as its seqs are remembered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEPT_CLIENTS } from '../../../actors/document/document.ts';
import {
  CLOSED,
  JSON_FRAMES,
  OPEN,
  OPEN_FAILED,
  OPENED,
  type ToGateway,
} from '../../../actors/link/link-messages.ts';
import { ActorHarness, DOC } from './actor-harness.ts';

const client = 'client-ada';

/** The answers to opens, each as its subscription and its outcome. */
const outcomes = (messages: readonly ToGateway[]): unknown[] =>
  messages.flatMap((message) => {
    if (message[0] === OPENED) return [[message[2], 'opened']];
    if (message[0] === OPEN_FAILED || message[0] === CLOSED) return [[message[2], message[3]]];
    return [];
  });

test('NAME-3 another user cannot throw the owner of a client id out, nor use up its seqs', () => {
  const harness = new ActorHarness();
  harness.open(1, { client, user: 'ada' });
  harness.submit(1, 1, 'a');
  harness.commit();
  harness.taken();
  harness.open(2, { client, user: 'eve' });
  harness.submit(2, 9, 'e');
  harness.commit();
  assert.deepEqual(outcomes(harness.taken()), [[2, 'forbidden']]);
  assert.deepEqual(
    harness.log.map(({ seq, user }) => [seq, user]),
    [[1, 'ada']],
  );
  harness.submit(1, 2, 'b');
  harness.commit();
  assert.equal(harness.log.length, 2, 'the owner goes on');
});

test("NAME-3 the id stays its user's after the client has left, and after the document has been loaded anew", () => {
  const harness = new ActorHarness();
  harness.open(1, { client, user: 'ada' });
  harness.submit(1, 1, 'a');
  harness.commit();
  harness.close(1);
  harness.taken();
  harness.open(2, { client, user: 'eve' });
  harness.actor.unload();
  harness.open(3, { client, user: 'eve' });
  harness.open(4, { client, user: 'ada' });
  assert.deepEqual(outcomes(harness.taken()), [
    [2, 'forbidden'],
    [3, 'forbidden'],
    [4, 'opened'],
  ]);
});

test('NAME-3 an id without commits is its user’s while the document is open, and free afterwards', () => {
  const harness = new ActorHarness();
  harness.open(1, { client, user: 'ada' });
  harness.open(2, { client, user: 'eve' });
  harness.open(3, { client, user: 'ada' });
  harness.close(3);
  harness.open(4, { client, user: 'eve' });
  assert.deepEqual(outcomes(harness.taken()), [
    [1, 'opened'],
    [2, 'forbidden'],
    [1, 'replaced'],
    [3, 'opened'],
    [4, 'opened'],
  ]);
});

test('NAME-3 while the store is asked whose an id is, nobody is kept out by the one who asks', () => {
  const harness = new ActorHarness();
  harness.open(1, { client, user: 'ada' });
  harness.submit(1, 1, 'a');
  harness.commit();
  harness.close(1);
  // So many clients come and go that memory drops the first.
  for (let i = 2; i <= 2 * KEPT_CLIENTS + 2; i++) {
    harness.open(i);
    harness.submit(i, 1, 'x');
    harness.commit();
    harness.close(i);
  }
  harness.taken();
  const open = (subscriptionId: number, user: string): void =>
    harness.actor.handle(0, [
      OPEN,
      1,
      subscriptionId,
      { doc: DOC, client, user, role: 'owner', codec: JSON_FRAMES },
    ]);
  open(5001, 'eve');
  open(5002, 'ada');
  harness.commit();
  assert.deepEqual(outcomes(harness.taken()), [
    [5001, 'replaced'],
    [5002, 'opened'],
  ]);
  harness.close(5002);
  harness.open(5003, { client, user: 'eve' });
  assert.deepEqual(outcomes(harness.taken()), [[5003, 'forbidden']]);
});

test('NAME-3 with the user of auth.mode none everyone may use every id', () => {
  const harness = new ActorHarness();
  harness.open(1, { client, user: 'anonymous' });
  harness.open(2, { client, user: 'anonymous' });
  assert.deepEqual(outcomes(harness.taken()), [
    [1, 'opened'],
    [1, 'replaced'],
    [2, 'opened'],
  ]);
});
