// Parsing JSON text gives the keys that stand in it, also those with escapes, which V8's JSON.parse can take
// for others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonCodec } from '../../protocol/codec.ts';
import { parseJson } from '../../protocol/json-text.ts';

const RUNS = 500 * Number(process.env.FUZZ_RUNS ?? 1);
const KEYS = [
  '\\',
  '"',
  '\n',
  '\u0000',
  '\u0001',
  '\\"',
  '\\\\',
  'a\\',
  'a"',
  'a\nb',
  '',
  'a',
  '1',
  '__proto__',
  '\ue000',
  '\ue0000',
];

/** The keys of all objects, in their order, and all values that are no object. */
const shown = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value).map(([key, member]) => [key, shown(member)]);
};

function objectOf(entries: readonly (readonly [string, unknown])[]): object {
  const out = {};
  for (const [key, value] of entries)
    Object.defineProperty(out, key, { value, enumerable: true, writable: true, configurable: true });
  return out;
}

test('each key is the one that was written, whatever keys came before', () => {
  for (const first of KEYS)
    for (const second of KEYS)
      for (const before of ['h', first]) {
        const objects = [
          objectOf([
            [before, []],
            [first, 0],
          ]),
          objectOf([
            [before, 1],
            [second, { [first]: 2 }],
          ]),
        ];
        const text = JSON.stringify(objects);
        assert.deepEqual(shown(parseJson(text)), shown(objects), text);
        assert.deepEqual(
          shown(jsonCodec.decode(`{"type":"x","op":${text}}`).op),
          shown(objects),
          'as a frame',
        );
      }
});

test('any value comes back as it was', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom(...KEYS, ':', '":', '\\":'),
  );
  const value = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(fc.constantFrom(null, true), fc.integer(), text),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.array(fc.tuple(text, tie('value')), { maxLength: 5 }).map(objectOf),
    ),
  })).value;
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 1, '\t'), (whole, indent) => {
      assert.deepEqual(shown(parseJson(JSON.stringify(whole, undefined, indent))), shown(whole));
    }),
    { numRuns: RUNS },
  );
});

test('a text that is no JSON is a SyntaxError, also with escapes in it', () => {
  for (const text of [
    '',
    '"\\',
    '{"\\":1}',
    '{"\\n":1',
    '{\\"a":1}',
    '\\',
    '{"a\\n" 1}',
    '{"\\x":1}',
    ':\\":',
  ])
    assert.throws(() => parseJson(text), SyntaxError, text);
});

test('a text of many escapes is gone through once', () => {
  const value = '\n"\\'.repeat(300_000);
  const whole = { a: value, '\n': [value, { '"': value }] };
  assert.deepEqual(shown(parseJson(JSON.stringify(whole))), shown(whole));
});
