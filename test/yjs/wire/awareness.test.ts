// Awareness updates: y-protocols writes and reads the same bytes, and what is above a bound is a FrameError.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { FrameError } from '../../../protocol/codec.ts';
import { findState, readAwareness, writeAwareness } from '../../../src/yjs/wire/awareness.ts';
import { amidst, outcome } from './outcome.ts';

const RUNS = 100 * Number(process.env.FUZZ_RUNS ?? 1);
const AWARENESS_BOUNDS = { states: 64, stateBytes: 4096 };

test('an awareness update is read and written as y-protocols does', () => {
  const state = fc.record({
    yjsClient: fc.nat(2 ** 32 - 1),
    clock: fc.integer({ min: 1, max: 2 ** 31 }),
    state: fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: null }),
  });
  const at = fc.nat(10);
  fc.assert(
    fc.property(
      fc.uniqueArray(state, { selector: ({ yjsClient }) => yjsClient, maxLength: 8 }),
      at,
      (states, at) => {
        const doc = new Y.Doc();
        const awareness = new Awareness(doc);
        try {
          awareness.states.clear();
          for (const { yjsClient, clock, state } of states) {
            awareness.meta.set(yjsClient, { clock, lastUpdated: 0 });
            if (state !== null) awareness.states.set(yjsClient, state);
          }
          const theirs = encodeAwarenessUpdate(
            awareness,
            states.map(({ yjsClient }) => yjsClient),
          );
          const read = readAwareness(amidst(theirs), AWARENESS_BOUNDS);
          assert.deepEqual(
            read,
            states.map(({ yjsClient, clock, state }) => ({
              yjsClient,
              clock,
              text: state === null ? null : JSON.stringify(state),
            })),
          );
          assert.deepEqual(writeAwareness(read), theirs);
          const wanted = read[at];
          const found = findState(amidst(theirs), 8, (yjsClient) => yjsClient === wanted?.yjsClient);
          assert.deepEqual(found, wanted);
        } finally {
          awareness.destroy();
          doc.destroy();
        }
      },
    ),
    { numRuns: RUNS },
  );
});

test('the first wanted number that has a state is found, with its newest state', () => {
  const states = [
    { yjsClient: 1, clock: 9, text: null },
    { yjsClient: 2, clock: 1, text: '{"at":1}' },
    { yjsClient: 3, clock: 7, text: '{"at":7}' },
    { yjsClient: 2, clock: 3, text: '{"at":3}' },
    { yjsClient: 2, clock: 2, text: '{"at":2}' },
  ];
  const update = writeAwareness(states);
  assert.deepEqual(
    findState(update, 8, () => true),
    states[3],
  );
  assert.deepEqual(
    findState(update, 8, (yjsClient) => yjsClient === 1),
    states[0],
  );
  assert.equal(
    findState(update, 8, () => false),
    undefined,
  );
});

test('an awareness update above its bounds is a FrameError', () => {
  const state = { yjsClient: 1, clock: 1, text: '{}' };
  const many = writeAwareness(Array.from({ length: 65 }, (_, yjsClient) => ({ ...state, yjsClient })));
  assert.ok(outcome(() => readAwareness(many, AWARENESS_BOUNDS)) instanceof FrameError);
  assert.ok(outcome(() => findState(many, 64, () => true)) instanceof FrameError);
  const large = writeAwareness([{ ...state, text: JSON.stringify('x'.repeat(4096)) }]);
  assert.ok(outcome(() => readAwareness(large, AWARENESS_BOUNDS)) instanceof FrameError);
});
