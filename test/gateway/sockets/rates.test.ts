// How often a socket may open documents, at a time that the test controls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opensAtOnce, takeOpen } from '../../../src/gateway/sockets/rates.ts';
import { LIMITS, startGateway } from '../fake-owners.ts';

test('OPEN-10 opens at once and per second follow limits.opensPerSecond and limits.openDocuments', () => {
  for (const [openDocuments, opensPerSecond, atOnce] of [
    [5, 2, 5],
    [5, 40, 40],
  ] as const) {
    const { session } = startGateway().newSession(undefined);
    const limits = { ...LIMITS, openDocuments, opensPerSecond };
    session.openTokens = opensAtOnce(limits);
    const taken = (now: number): number => {
      let opens = 0;
      while (takeOpen(session, limits, now) === 0) opens++;
      return opens;
    };
    assert.equal(taken(0), atOnce);
    assert.equal(taken(1_000), opensPerSecond);
    assert.equal(takeOpen(session, limits, 1_000), 1_000 / opensPerSecond, 'ms until the next');
    assert.equal(taken(60_000), atOnce);
  }
});

test('OPEN-10 with the defaults a client that opens 100 documents a second is not refused', () => {
  const { connect, tick } = startGateway();
  const client = connect('client-1');
  for (let second = 0; second < 5; second++) {
    for (let i = 0; i < 100; i++) client.send({ type: 'open', doc: 'acme/plan' });
    assert.deepEqual(client.answers('error'), []);
    tick(1_000);
  }
});
