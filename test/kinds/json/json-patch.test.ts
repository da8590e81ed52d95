// The requirements of RFC 6902 and RFC 6901 for one patch on one document (appendix A and beyond), values
// that are no patch at all, and the independence of values after a patch.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HELD_SHAPE } from '../../../kinds/json/held/held.ts';
import { jsonKind, jsonKindOf } from '../../../kinds/json/json.ts';
import type { Json } from '../../../protocol/messages.ts';
import { LIMITS, parsed, patch } from './json-meet.ts';

describe('JSON-1 RFC 6902 appendix A', () => {
  const cases: readonly [title: string, document: Json, steps: unknown, expected: Json][] = [
    [
      'A.1 adding a member',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux' }],
      { baz: 'qux', foo: 'bar' },
    ],
    [
      'A.2 adding an element',
      { foo: ['bar', 'baz'] },
      [{ op: 'add', path: '/foo/1', value: 'qux' }],
      { foo: ['bar', 'qux', 'baz'] },
    ],
    ['A.3 removing a member', { baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [
      'A.4 removing an element',
      { foo: ['bar', 'qux', 'baz'] },
      [{ op: 'remove', path: '/foo/1' }],
      { foo: ['bar', 'baz'] },
    ],
    [
      'A.5 replacing a value',
      { baz: 'qux', foo: 'bar' },
      [{ op: 'replace', path: '/baz', value: 'boo' }],
      { baz: 'boo', foo: 'bar' },
    ],
    [
      'A.6 moving a value',
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
    ],
    [
      'A.7 moving an element',
      { foo: ['all', 'grass', 'cows', 'eat'] },
      [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
      { foo: ['all', 'cows', 'eat', 'grass'] },
    ],
    [
      'A.8 testing: success',
      { baz: 'qux', foo: ['a', 2, 'c'] },
      [
        { op: 'test', path: '/baz', value: 'qux' },
        { op: 'test', path: '/foo/1', value: 2 },
      ],
      { baz: 'qux', foo: ['a', 2, 'c'] },
    ],
    ['A.9 testing: error', { baz: 'qux' }, [{ op: 'test', path: '/baz', value: 'bar' }], 'test-failed'],
    [
      'A.10 adding a nested member object',
      { foo: 'bar' },
      [{ op: 'add', path: '/child', value: { grandchild: {} } }],
      { foo: 'bar', child: { grandchild: {} } },
    ],
    [
      'A.11 ignoring unrecognized elements',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux', xyz: 123 }],
      { foo: 'bar', baz: 'qux' },
    ],
    [
      'A.12 adding to a nonexistent target',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz/bat', value: 'qux' }],
      'bad-op',
    ],
    [
      'A.14 ~ escape ordering',
      { '/': 9, '~1': 10 },
      [{ op: 'test', path: '/~01', value: 10 }],
      { '/': 9, '~1': 10 },
    ],
    [
      'A.15 comparing strings and numbers',
      { '/': 9, '~1': 10 },
      [{ op: 'test', path: '/~01', value: '10' }],
      'test-failed',
    ],
    [
      'A.16 adding an array value',
      { foo: ['bar'] },
      [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }],
      { foo: ['bar', ['abc', 'def']] },
    ],
    ['an empty patch', { foo: 1 }, [], { foo: 1 }],
    ['the empty key', { foo: 1 }, [{ op: 'add', path: '/', value: 1 }], { '': 1, foo: 1 }],
    [
      'add replaces a member that exists',
      { foo: 1 },
      [{ op: 'add', path: '/foo', value: null }],
      { foo: null },
    ],
    [
      'a null value is a value',
      { foo: null },
      [
        { op: 'test', path: '/foo', value: null },
        { op: 'copy', from: '/foo', path: '/bar' },
      ],
      { foo: null, bar: null },
    ],
    ['replace and remove need a target', { foo: 1 }, [{ op: 'replace', path: '/bar', value: 1 }], 'bad-op'],
    ['remove of what is not there', { foo: 1 }, [{ op: 'remove', path: '/bar' }], 'bad-op'],
    ['move from what is not there', { foo: 1 }, [{ op: 'move', from: '/bar', path: '/foo' }], 'bad-op'],
    [
      'a value can not move into itself',
      { foo: { bar: 1 } },
      [{ op: 'move', from: '/foo', path: '/foo/bar' }],
      'bad-op',
    ],
    [
      'a value may move onto one around it',
      { foo: { bar: 1 } },
      [{ op: 'move', from: '/foo/bar', path: '/foo' }],
      { foo: 1 },
    ],
    ['a move onto itself does nothing', { foo: 1 }, [{ op: 'move', from: '/foo', path: '/foo' }], { foo: 1 }],
    [
      'a copy may go into what it copies',
      { foo: { bar: 1 } },
      [{ op: 'copy', from: '/foo', path: '/foo/baz' }],
      { foo: { bar: 1, baz: { bar: 1 } } },
    ],
    ['`-` names no element', { foo: [1] }, [{ op: 'remove', path: '/foo/-' }], 'bad-op'],
    ['a path through a scalar', { foo: 'text' }, [{ op: 'add', path: '/foo/0', value: 1 }], 'bad-op'],
    ['a fractional or signed index', { foo: [1, 2] }, [{ op: 'remove', path: '/foo/1e0' }], 'bad-op'],
    [
      'key order means nothing to test',
      { foo: { a: 1, b: [2] } },
      [{ op: 'test', path: '/foo', value: { b: [2], a: 1 } }],
      { foo: { a: 1, b: [2] } },
    ],
    ['an object is no list to test', { foo: {} }, [{ op: 'test', path: '/foo', value: [] }], 'test-failed'],
    [
      'whole or not at all',
      { foo: 1 },
      [
        { op: 'add', path: '/bar', value: 1 },
        { op: 'remove', path: '/baz' },
      ],
      'bad-op',
    ],
  ];
  for (const [title, document, steps, expected] of cases)
    test(title, () => assert.deepEqual(patch(document, steps), expected));
});

describe('NAME-6 bad-op: what is no patch', () => {
  const add = (value: unknown): unknown => [{ op: 'add', path: '/x', value }];
  const deep = (levels: number): Json => (levels === 0 ? 1 : [deep(levels - 1)]);
  const cases: readonly [title: string, wire: unknown][] = [
    ['not an array', { op: 'add', path: '/x', value: 1 }],
    ['undefined', undefined],
    ['a step that is no object', [null]],
    ['an unknown op', [{ op: 'spam', path: '/x' }]],
    ['an op inherited from a prototype', [Object.create({ op: 'remove', path: '/x' })]],
    ['no path', [{ op: 'remove' }]],
    ['no value', [{ op: 'add', path: '/x' }]],
    ['no from', [{ op: 'move', path: '/x' }]],
    ['a path without its slash', [{ op: 'remove', path: 'x' }]],
    ['a path that ends in ~', [{ op: 'remove', path: '/x~' }]],
    ['an escape that is none', [{ op: 'remove', path: '/x~2' }]],
    ['a lone surrogate in a path', [{ op: 'add', path: '/\ud800', value: 1 }]],
    ['a lone surrogate in a string', add('a\udc00')],
    ['a lone surrogate in a key', add({ '\ud800': 1 })],
    ['NaN', add(Number.NaN)],
    ['infinity', add([Number.POSITIVE_INFINITY])],
    ['an integer above 2^53 − 1', add(2 ** 53)],
    ['an integer below −(2^53 − 1)', add(-(2 ** 53))],
    ['a number of 21 digits', add(1e20)],
    ['a number that JSON writes with an exponent', add([-1e21])],
    ['the largest double', add({ x: Number.MAX_VALUE })],
    ['undefined in a value', add({ a: undefined })],
    ['a hole in a list', add(new Array(2))],
    ['bytes', add(new Uint8Array(2))],
    ['a date', add(new Date(0))],
    ['a bigint', add(1n)],
    ['nested too deep', add(deep(100))],
    ['a path nested too deep', [{ op: 'remove', path: '/x'.repeat(101) }]],
  ];
  for (const [title, wire] of cases)
    test(title, () => {
      const result = jsonKind.parse(wire, LIMITS);
      assert.equal(result.ok ? 'ok' : result.code, 'bad-op');
    });

  test('the deepest value, the largest integers and doubles pass', () => {
    for (const value of [deep(99), 2 ** 53 - 1, -(2 ** 53 - 1), 0.1, 1e15 + 0.5, 5e-324, '😀'])
      assert.equal(jsonKind.parse(add(value), LIMITS).ok, true);
  });
  test('a copy or a move may not nest the document too deep', () => {
    const document = { x: deep(60), y: deep(60) };
    const into = `/y${'/0'.repeat(50)}`;
    assert.equal(patch(document, [{ op: 'copy', from: '/x', path: into }]), 'bad-op');
    assert.equal(patch(document, [{ op: 'move', from: '/x', path: into }]), 'bad-op');
  });
});

test('VALUE-1 a document that holds larger numbers, which were taken once, still loads', () => {
  const state = jsonKind.load({ x: 1e21 });
  assert.deepEqual(jsonKind.recall([{ op: 'add', path: '/y', value: 1e300 }], undefined).steps.length, 1);
  assert.deepEqual(jsonKind.snapshot(state), { x: 1e21 });
});

describe('own properties only', () => {
  const hostile = JSON.parse('{"__proto__":{"polluted":1},"hasOwnProperty":1,"toString":2}') as Json;
  test('inherited names are not there', () => {
    for (const path of ['/toString', '/hasOwnProperty', '/valueOf/x'])
      assert.equal(patch({}, [{ op: 'remove', path }]), 'bad-op');
    assert.equal(patch({ l: [] }, [{ op: 'remove', path: '/l/length' }]), 'bad-op');
  });
  test('keys inside values are members like any other, through apply, revert, invert and copy', () => {
    const state = jsonKind.load({});
    const applied = jsonKind.apply(state, parsed([{ op: 'add', path: '/x', value: hostile }]));
    assert.ok(applied.ok);
    const steps = [
      { op: 'test', path: '/x', value: hostile },
      { op: 'copy', from: '/x', path: '/y' },
      { op: 'test', path: '/y', value: hostile },
    ];
    const again = jsonKind.apply(state, parsed(steps));
    assert.ok(again.ok);
    assert.equal(JSON.stringify(jsonKind.snapshot(state)), JSON.stringify({ x: hostile, y: hostile }));
    jsonKind.revert(state, again.value.undo);
    assert.equal(JSON.stringify(jsonKind.snapshot(state)), JSON.stringify({ x: hostile }));
    assert.equal(({} as { polluted?: number }).polluted, undefined);
    assert.equal(Object.getPrototypeOf((jsonKind.snapshot(state) as { x: object }).x), Object.prototype);
  });
});

describe('values are nobody else’s', () => {
  test('a patch keeps nothing of its wire form', () => {
    const value = { k: [1] };
    const op = parsed([{ op: 'add', path: '/x', value }]);
    value.k.push(2);
    assert.deepEqual(jsonKind.wire(op), [{ op: 'add', path: '/x', value: { k: [1] } }]);
  });
  test('editing in place changes no retained patch, no copy and no snapshot', () => {
    const state = jsonKind.load({});
    const commit = (steps: unknown) => {
      const committed = jsonKind.commit(state, parsed(steps), [], LIMITS);
      assert.ok(committed.ok);
      return committed.value;
    };
    const first = commit([{ op: 'add', path: '/x', value: { k: [1] } }]);
    const second = commit([{ op: 'copy', from: '/x', path: '/y' }]);
    const snapshot = jsonKind.snapshot(state);
    commit([
      { op: 'add', path: '/x/k/-', value: 2 },
      { op: 'add', path: '/y/n', value: 3 },
    ]);
    assert.deepEqual(jsonKind.wire(first.op), [{ op: 'add', path: '/x', value: { k: [1] } }]);
    assert.deepEqual(jsonKind.wire(second.op), [{ op: 'add', path: '/y', value: { k: [1] } }]);
    assert.deepEqual(snapshot, { x: { k: [1] }, y: { k: [1] } });
    assert.deepEqual(jsonKind.snapshot(state), { x: { k: [1, 2] }, y: { k: [1], n: 3 } });
  });
});

describe('size', () => {
  test('a document that would be too large: too-large, and it stays as it was; shrinking goes', () => {
    const state = jsonKind.load({ x: 'a'.repeat(100) });
    const limits = { documentBytes: 60, depth: 100, workMs: 50 };
    const grown = jsonKind.commit(state, parsed([{ op: 'add', path: '/y', value: 1 }]), [], limits);
    assert.equal(grown.ok ? 'ok' : grown.code, 'too-large');
    assert.deepEqual(jsonKind.snapshot(state), { x: 'a'.repeat(100) });
    assert.ok(
      jsonKind.commit(state, parsed([{ op: 'replace', path: '/x', value: 'a'.repeat(90) }]), [], limits).ok,
    );
  });
  test('SUBMIT-14 lists and objects count towards the memory of the document: too-large, and shrinking goes', () => {
    const limits = { documentBytes: 100, depth: 100, workMs: 50 };
    const state = jsonKind.create();
    const some = jsonKind.commit(state, parsed([{ op: 'add', path: '/a', value: [[], []] }]), [], limits);
    assert.ok(some.ok);
    const before = jsonKind.memory(state);
    const many = [{ op: 'add', path: '/b', value: [[], [], [], [], [], [], {}, {}, {}] }];
    assert.equal(JSON.stringify(many[0]?.value).length, 28, 'it is not the text that is too large');
    const grown = jsonKind.commit(state, parsed(many), [], limits);
    assert.equal(grown.ok ? 'ok' : grown.code, 'too-large');
    assert.equal(jsonKind.memory(state), before);
    assert.deepEqual(jsonKind.snapshot(state), { a: [[], []] });
    const loaded = jsonKind.load({ a: [[], [], [], [], [], [], {}, {}, {}, {}, {}, {}] });
    const shrunk = jsonKind.commit(loaded, parsed([{ op: 'remove', path: '/a/0' }]), [], limits);
    assert.ok(shrunk.ok);
  });
  test('the memory of a document follows from its content, also after edits and after they are taken back', () => {
    const value = fc.letrec<{ value: Json }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.integer(),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom('a', 'b', '0'), tie('value')),
      ),
    })).value;
    const path = fc.array(fc.constantFrom('a', 'b', '0', '1', '-'), { minLength: 1, maxLength: 3 });
    const step = fc.record({
      op: fc.constantFrom('add', 'replace', 'remove', 'move', 'copy'),
      path: path.map((tokens) => `/${tokens.join('/')}`),
      from: path.map((tokens) => `/${tokens.join('/')}`),
      value,
    });
    const shape = { ...HELD_SHAPE, plainItems: 2, fanOut: 4, largeBytes: 8, plainBytes: 16 };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const kind = jsonKindOf(shape);
        const state = kind.load({ a: [[1], {}], b: { a: [[]] } });
        const check = () => assert.equal(kind.memory(state), kind.memory(kind.load(kind.snapshot(state))));
        for (const each of steps) {
          const op = kind.parse([each], LIMITS);
          if (!op.ok) continue;
          const before = kind.memory(state);
          const result = kind.commit(state, op.value, [], LIMITS);
          check();
          if (!result.ok || each.value !== null) continue;
          kind.revert(state, result.value.undo);
          assert.equal(kind.memory(state), before);
        }
      }),
      { numRuns: 500 * Number(process.env.FUZZ_RUNS ?? 1) },
    );
  });
  test('counts UTF-8 bytes and escapes', () => {
    const text = 'a"\\\n\u0001é€😀\u007f';
    const size = jsonKind.size(jsonKind.load(text));
    assert.equal(size, new TextEncoder().encode(JSON.stringify(text)).length);
  });
});

describe('the patch between its forms', () => {
  test('a note is needed only where a token could be an index, and has to fit', () => {
    const state = jsonKind.load({ l: [{ '7': 1 }] });
    const committed = jsonKind.commit(
      state,
      parsed([{ op: 'replace', path: '/l/0/7', value: 2 }]),
      [],
      LIMITS,
    );
    assert.ok(committed.ok);
    assert.equal(jsonKind.note(committed.value.op), '10');
    assert.equal(jsonKind.note(parsed([{ op: 'remove', path: '/l/x' }])), undefined);
    assert.deepEqual(jsonKind.recall(jsonKind.wire(committed.value.op), '10'), committed.value.op);
    assert.throws(() => jsonKind.recall(jsonKind.wire(committed.value.op), '1'));
    assert.throws(() => jsonKind.recall([{ op: 'remove' }], undefined));
  });
  test('nothing is transformed past a patch whose list indices nobody knows', () => {
    const op = parsed([{ op: 'remove', path: '/l/0' }]);
    assert.throws(() => jsonKind.transform(op, op));
  });
  test('compose writes a place once that was written twice in a row', () => {
    const [a, b] = [1, 2].map((value) => parsed([{ op: 'replace', path: '/x', value }]));
    assert.ok(a && b);
    assert.deepEqual(jsonKind.wire(jsonKind.compose(a, b)), [{ op: 'replace', path: '/x', value: 2 }]);
  });
  test('a patch of tests alone is not empty: it may be refused', () => {
    assert.equal(jsonKind.isEmpty(parsed([{ op: 'test', path: '/x', value: 1 }])), false);
    assert.equal(jsonKind.isEmpty(parsed([])), true);
  });
});
