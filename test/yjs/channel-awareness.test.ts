// Presence as readers that speak a protocol of Yjs know it: numbers, clocks, and who has a number.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Awareness, applyAwarenessUpdate } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { markedText } from '../../actors/link/presence-text.ts';
import { ChannelAwareness } from '../../src/yjs/channel-awareness.ts';
import { type AwarenessState, writeAwareness } from '../../src/yjs/wire/awareness.ts';

const marked = (yjsClient: number, clock: number, state: object) =>
  markedText({ yjsClient, clock }, JSON.stringify(state));

function reader(t: { after(end: () => void): void }) {
  const awareness = new Awareness(new Y.Doc());
  awareness.setLocalState(null);
  t.after(() => awareness.destroy());
  return {
    take: (states: readonly AwarenessState[]) =>
      applyAwarenessUpdate(awareness, writeAwareness(states), 'server'),
    get states() {
      return Object.fromEntries(awareness.getStates());
    },
  };
}

test('AWARE-1 a Yjs client keeps its number and clock, a client of the contract has the same number everywhere', () => {
  const [one, other] = [new ChannelAwareness(() => 1_000), new ChannelAwareness(() => 5_000)];
  assert.deepEqual(one.take(['conn-aaa', marked(7, 3, { at: 1 })]), [
    { yjsClient: 7, clock: 3, text: '{"at":1}' },
  ]);
  const [here] = one.take(['client-a', '{"name":"Ada"}']);
  const [there] = other.take(['client-a', '{"name":"Ada"}']);
  assert.equal(here?.yjsClient, there?.yjsClient);
  assert.equal(here?.text, '{"name":"Ada"}');
  assert.ok((there?.clock ?? 0) > (here?.clock ?? 0));
});

test('AWARE-1 a stock reader follows a client of the contract that moves, goes, and comes back', (t) => {
  const awareness = new ChannelAwareness(() => 1_000);
  const stock = reader(t);
  for (const text of ['{"at":1}', '{"at":2}', null, '{"at":3}']) {
    const told = awareness.take(['client-a', text]);
    stock.take(told);
    assert.deepEqual(Object.values(stock.states), text === null ? [] : [JSON.parse(text)]);
  }
  assert.ok(awareness.hasPlain);
  const renewed = awareness.renewed();
  assert.equal(renewed.length, 1);
  assert.ok((renewed[0]?.clock ?? 0) > 1_003);
});

test('a number that a client has taken over does not end with its former client', (t) => {
  const awareness = new ChannelAwareness(() => 0);
  const stock = reader(t);
  stock.take(awareness.take(['conn-old', marked(7, 3, { at: 1 })]));
  stock.take(awareness.take(['conn-new', marked(7, 4, { at: 2 })]));
  assert.deepEqual(awareness.take(['conn-old', null]), []);
  assert.deepEqual(stock.states, { 7: { at: 2 } });
  stock.take(awareness.take(['conn-new', null]));
  assert.deepEqual(stock.states, {});
});

test('AWARE-2 a state that was told is known, also of a number that is gone', () => {
  const awareness = new ChannelAwareness(() => 0);
  awareness.take(['conn-aaa', marked(7, 3, { at: 1 })]);
  assert.equal(awareness.knows(7, 3), true);
  assert.equal(awareness.knows(7, 4), false);
  awareness.take(['conn-aaa', null]);
  assert.equal(awareness.knows(7, 3), true);
  assert.equal(awareness.knows(8, 0), false);
});

test('numbers that are gone are forgotten past a bound, those that are here never', () => {
  const awareness = new ChannelAwareness(() => 0);
  awareness.take(['conn-aaa', marked(1, 1, {})]);
  for (let i = 0; i < 2_000; i++) awareness.take([`conn-${i}`, marked(100 + i, 1, {}), `conn-${i}`, null]);
  assert.equal(awareness.knows(100, 1), false);
  assert.equal(awareness.knows(2_099, 1), true);
  assert.deepEqual(awareness.all(), [{ yjsClient: 1, clock: 1, text: '{}' }]);
});

test('a client that changes its number leaves the former one', () => {
  const awareness = new ChannelAwareness(() => 0);
  awareness.take(['conn-aaa', marked(7, 3, {})]);
  assert.deepEqual(awareness.take(['conn-aaa', marked(8, 0, {})]), [
    { yjsClient: 7, clock: 3, text: null },
    { yjsClient: 8, clock: 0, text: '{}' },
  ]);
});
