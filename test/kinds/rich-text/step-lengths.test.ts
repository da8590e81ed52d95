// The lengths of steps that are read from the text of a patch are those of the patch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Delta, stepLength } from '../../../kinds/rich-text/delta.ts';
import { DELETE, INSERT, RETAIN, readStepLengths } from '../../../kinds/rich-text/step-lengths.ts';
import { runs } from './rich-text-edits.ts';

/** Undefined for a form that is left to the caller. */
function read(text: string, end = Buffer.byteLength(text)): number[] | undefined {
  const out: number[] = [];
  const count = readStepLengths(Buffer.from(text), end, out);
  return count < 0 ? undefined : out.slice(0, count);
}

const expected = (patch: Delta): number[] =>
  patch.flatMap((step) => [
    step.insert !== undefined ? INSERT : step.delete !== undefined ? DELETE : RETAIN,
    stepLength(step),
  ]);

const attributes = fc.option(
  fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.boolean(), fc.constant(null), fc.object())),
  { nil: undefined },
);
const length = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const step = fc.oneof(
  fc.record({ insert: fc.string({ unit: 'grapheme', minLength: 1 }), attributes }),
  fc.record({ insert: fc.string({ unit: 'binary', minLength: 1 }), attributes }),
  fc.record({ insert: fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1, maxKeys: 1 }), attributes }),
  fc.record({ retain: length, attributes }),
  fc.record({ delete: length }),
);

test('each step of a patch as JSON.stringify writes it is read with what it does and its length', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const patch = JSON.parse(JSON.stringify(steps)) as Delta;
      assert.deepEqual(read(JSON.stringify(patch)), expected(patch));
    }),
    { numRuns: runs(500) },
  );
});

test('other forms, and texts that are cut short, are left to the caller', () => {
  const patch = JSON.stringify([
    { retain: 3 },
    { insert: 'a\\"\u2028😀', attributes: { b: 'x}"' } },
    { delete: 2 },
  ]);
  assert.deepEqual(read(patch), [RETAIN, 3, INSERT, 6, DELETE, 2]);
  for (let end = 0; end < Buffer.byteLength(patch); end++)
    assert.equal(read(patch, end), undefined, String(end));
  for (const other of [
    '',
    '{}',
    '[{ "retain":1}]',
    '[{"retain":1.5}]',
    '[{"retain":1e3}]',
    '[{"retain":-1}]',
    '[{"retain":}]',
    '[{"attributes":{},"retain":1}]',
    '[{"retain":1,"other":{}}]',
    '[{"insert":1}]',
    '[{"insert":["a"]}]',
    '[{"insert":"a"}]]',
  ])
    assert.equal(read(other), undefined, other);
});
