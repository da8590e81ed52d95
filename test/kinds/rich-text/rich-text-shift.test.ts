// RT-4: carrying an edit at one place past many patches gives the same result as transforming it past each of
// them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Delta, transformDelta } from '../../../kinds/rich-text/delta.ts';
import { transformPast } from '../../../kinds/rich-text/shift.ts';

/** Plain objects, as JSON.parse makes them. */
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(fields, { noNullPrototype: true });

const runs = 5000 * Number(process.env.FUZZ_RUNS ?? 1);

const step = fc.oneof(
  { weight: 4, arbitrary: record({ insert: fc.string({ minLength: 1, maxLength: 3 }) }) },
  { weight: 3, arbitrary: record({ delete: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: record({ insert: fc.constant({ image: 'x' }) }) },
  { weight: 1, arbitrary: record({ insert: fc.constant('b'), attributes: fc.constant({ bold: true }) }) },
  {
    weight: 1,
    arbitrary: record({ retain: fc.integer({ min: 1, max: 5 }), attributes: fc.constant({ bold: true }) }),
  },
);
const retain = record({ retain: fc.integer({ min: 1, max: 12 }) });
/** Most patches edit one place, some edit several. */
const patch: fc.Arbitrary<Delta> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(retain, step) },
  { weight: 2, arbitrary: fc.tuple(step) },
  { weight: 1, arbitrary: fc.tuple(retain, step, retain, step) },
  { weight: 1, arbitrary: fc.constant([]) },
);

test('RT-4 past many at once is past each singly, in order', () => {
  fc.assert(
    fc.property(patch, fc.array(patch, { maxLength: 12 }), (op, past) => {
      let singly = op;
      for (const earlier of past) singly = transformDelta(singly, earlier, true);
      assert.deepEqual(transformPast(op, past, 50), singly);
    }),
    { numRuns: runs },
  );
});
