// Kind rich-text: patches that are bad-op for their shape alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { richTextKind } from '../../../kinds/rich-text/rich-text.ts';
import { runs } from './rich-text-edits.ts';

const LIMITS = { documentBytes: 1 << 24, depth: 10 };
const parse = (wire: unknown) => richTextKind.parse(wire, LIMITS);
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) });

const REFUSED: Record<string, unknown> = {
  'not an array': { ops: [{ insert: 'a' }] },
  null: null,
  bytes: new Uint8Array([1]),
  'a step that is no object': ['a'],
  'a null step': [null],
  'an array as step': [['insert', 'a']],
  'an empty step': [{}],
  'attributes alone': [{ attributes: { bold: true } }],
  'two actions': [{ insert: 'a', delete: 1 }],
  'an unknown action': [{ replace: 1 }],
  'an unknown field': [{ insert: 'a', note: 1 }],
  'an empty insert': [{ insert: '' }],
  'a number as insert': [{ insert: 1 }],
  'null as insert': [{ insert: null }],
  'an array as insert': [{ insert: ['a'] }],
  'a retain of 0': [{ retain: 0 }],
  'a negative retain': [{ retain: -1 }],
  'half a retain': [{ retain: 1.5 }],
  'an unsafe retain': [{ retain: 2 ** 53 }],
  'an infinite retain': [{ retain: Number.POSITIVE_INFINITY }],
  'a bigint retain': [{ retain: 1n }],
  'text as retain': [{ retain: '1' }],
  'a nested retain': [{ retain: { image: [] } }],
  'a delete of 0': [{ delete: 0 }],
  'attributes on a delete': [{ delete: 1, attributes: { bold: true } }],
  'null attributes': [{ insert: 'a', attributes: null }],
  'an array of attributes': [{ insert: 'a', attributes: ['bold'] }],
  'text as attributes': [{ insert: 'a', attributes: 'bold' }],
  'a null attribute on an insert': [{ insert: 'a', attributes: { bold: null } }],
  '__proto__ in attributes': [{ retain: 1, attributes: JSON.parse('{"__proto__": 1}') }],
  'constructor in a value': [{ insert: 'a', attributes: { a: { constructor: 1 } } }],
  'prototype in an embed': [{ insert: { prototype: 1 } }],
  'a lone high surrogate': [{ insert: 'a\uD83D' }],
  'a lone low surrogate': [{ insert: '\uDE00a' }],
  'half a character': [{ insert: '\uD83D' }],
  'surrogates the wrong way round': [{ insert: '\uDE00\uD83D' }],
  'a lone surrogate in a value': [{ insert: 'a', attributes: { a: ['\uD83D'] } }],
  'a lone surrogate in a key': [{ insert: { '\uD83D': 1 } }],
  'NaN in a value': [{ insert: { a: Number.NaN } }],
  'an unsafe integer in a value': [{ insert: { a: 2 ** 53 } }],
  'a number of 22 digits in an attribute': [{ retain: 1, attributes: { a: { b: [1e21] } } }],
  'an empty embed': [{ insert: {} }],
  'a bigint in a value': [{ insert: { a: 1n } }],
  'undefined in a list': [{ insert: { a: [undefined] } }],
  'bytes in a value': [{ insert: { a: new Uint8Array(1) } }],
  'a date in a value': [{ insert: { a: new Date(0) } }],
  'a value too deep': [{ insert: nested(9) }],
  'attributes too deep': [{ retain: 1, attributes: nested(9) }],
  'a bad step after good ones': [{ retain: 1 }, { insert: 'a' }, { delete: 0 }],
};

for (const [name, wire] of Object.entries(REFUSED)) {
  test(`RT-1 RT-2 bad-op: ${name}`, () => {
    const result = parse(wire);
    assert.ok(!result.ok);
    assert.equal(result.code, 'bad-op');
  });
}

test('a good patch is taken as it is, without a copy', () => {
  for (const wire of [
    [],
    [{ insert: 'a😀é' }],
    [{ retain: 3.0, attributes: { bold: null, nested: { list: [1, 'x', null, true, 1.5] } } }],
    [{ retain: 1 }, { delete: 2 }, { insert: { image: 'x' }, attributes: { alt: 'y' } }],
    [{ insert: { divider: null } }],
    [{ insert: nested(8) }],
  ]) {
    const result = parse(wire);
    assert.ok(result.ok);
    assert.equal(result.value, wire);
  }
});

test('empty attributes are dropped, neighbours of one sort are joined, the order of steps stays', () => {
  const result = parse([
    { retain: 1 },
    { retain: 2, attributes: {} },
    { delete: 1 },
    { delete: 1 },
    { insert: 'a' },
    { insert: 'b', attributes: {} },
    { insert: 'c', attributes: { bold: true } },
    { insert: 'd', attributes: { bold: true } },
    { insert: { image: 'x' }, attributes: undefined },
  ]);
  assert.ok(result.ok);
  assert.deepEqual(result.value, [
    { retain: 3 },
    { delete: 2 },
    { insert: 'ab' },
    { insert: 'cd', attributes: { bold: true } },
    { insert: { image: 'x' } },
  ]);
});

test('parsing anything returns a result and never throws', () => {
  const step = fc.record(
    { insert: fc.anything(), retain: fc.anything(), delete: fc.anything(), attributes: fc.anything() },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.array(step)), (wire) => {
      const result = parse(wire);
      if (!result.ok) assert.equal(result.code, 'bad-op');
      else {
        const text = JSON.stringify(result.value);
        const again = parse(JSON.parse(text));
        assert.ok(again.ok);
        assert.equal(JSON.stringify(again.value), text);
      }
    }),
    { numRuns: runs(2000) },
  );
});

test('deep nesting is refused without using up the stack', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  assert.ok(!parse([{ insert: { deep } }]).ok);
});
