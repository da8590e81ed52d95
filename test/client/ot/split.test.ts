// A large rich-text patch is split in two patches, which together do the same, and the split cuts no
// character.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { halve } from '../../../client/ot/rich-text-split.ts';
import { composeDelta, DeltaBuilder, type Step } from '../../../kinds/rich-text/delta.ts';

const attributes = fc.constantFrom(undefined, { bold: true }, { link: 'x' });
const text = fc.array(fc.constantFrom('a', '😀', 'é', '\n'), { minLength: 1, maxLength: 40 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(text, attributes).map(([parts, a]) => withAttributes({ insert: parts.join('') }, a)),
  fc.constant({ insert: { image: 'https://example.org/a.png' } }),
  fc.tuple(fc.integer({ min: 1, max: 30 }), attributes).map(([retain, a]) => withAttributes({ retain }, a)),
  fc.integer({ min: 1, max: 30 }).map((removed) => ({ delete: removed })),
);

function withAttributes(one: Step, given: Step['attributes']): Step {
  return given === undefined ? one : { ...one, attributes: given };
}

test('rich-text: the halves of a patch, one after the other, do what it does', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const builder = new DeltaBuilder();
      for (const one of steps) builder.push(one);
      const op = builder.chopped();
      const halves = halve(op);
      if (halves === undefined) return;
      assert.deepEqual(composeDelta(...halves), composeDelta(op, []));
      for (const half of halves) {
        assert.ok(half.length > 0);
        for (const { insert } of half) {
          if (typeof insert === 'string') assert.ok(insert.isWellFormed(), JSON.stringify(insert));
        }
      }
    }),
    { numRuns: 500 * Number(process.env.FUZZ_RUNS ?? 1) },
  );
});

test('rich-text: a long text is halved until any size is reached, and one character or embed is not', () => {
  let [left] = halve([{ insert: 'x'.repeat(1_000) }]) ?? [];
  let count = 0;
  for (; left !== undefined; [left] = halve(left) ?? []) count += 1;
  assert.ok(count >= 8 && count < 40, String(count));
  assert.equal(halve([{ insert: { image: 'x'.repeat(1_000) } }]), undefined);
});
