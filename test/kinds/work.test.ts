// limits.workMs: a patch is refused before its work is done, with a code that tells its author how to go on.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jsonKind } from '../../kinds/json/json.ts';
import type { DocumentKind, KindLimits } from '../../kinds/kind.ts';
import { richTextKind } from '../../kinds/rich-text/rich-text.ts';
import { yjsKind } from '../../kinds/yjs/yjs.ts';
import type { Json, Wire } from '../../protocol/messages.ts';

const LIMITS: KindLimits = { documentBytes: 1 << 24, depth: 100, workMs: 50 };

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

function parsed<State, Op, Undo>(kind: DocumentKind<State, Op, Undo>, wire: Wire): Op {
  const op = kind.parse(wire, LIMITS);
  assert.ok(op.ok);
  return op.value;
}

/** The outcome of `patch`, made before all of `history`. */
function answer<State, Op, Undo>(
  kind: DocumentKind<State, Op, Undo>,
  document: Wire,
  history: readonly Wire[],
  patch: Wire,
  limits = LIMITS,
): string {
  const state = kind.load(document);
  const past = history.map((wire) => {
    const done = kind.commit(state, parsed(kind, wire), [], limits);
    assert.ok(done.ok);
    return done.value.op;
  });
  const before = kind.size(state);
  const result = kind.commit(state, parsed(kind, patch), past, limits);
  if (result.ok) return 'committed';
  assert.equal(kind.size(state), before);
  assert.match(result.message, /limits\.workMs/);
  return result.code;
}

describe('SUBMIT-13 what was committed since makes a patch too costly: version-too-old', () => {
  const steps = (path: string, count: number): Json =>
    times(count, () => ({ op: 'replace', path, value: 1 }));

  test('json: steps times steps', () => {
    const history = times(100, () => steps('/x', 50));
    assert.equal(answer(jsonKind, { x: 0, y: 0 }, history, steps('/y', 100)), 'version-too-old');
    assert.equal(answer(jsonKind, { x: 0, y: 0 }, history, steps('/y', 10)), 'committed');
    assert.equal(answer(jsonKind, { x: 0, y: 0 }, [], steps('/y', 100)), 'committed');
  });

  const text: Json = [{ insert: `${'x'.repeat(20_000)}\n` }];
  const typed = times(2_000, (i) => [{ retain: 2 * i + 1 }, { insert: 'y' }]);

  test('rich-text: steps times versions', () => {
    const patch = (count: number): Json =>
      times(count, (i) => (i % 2 === 0 ? { retain: 1 } : { insert: 'z' }));
    assert.equal(answer(richTextKind, text, typed, patch(2_000)), 'version-too-old');
    assert.equal(answer(richTextKind, text, typed, patch(100)), 'committed');
    assert.equal(answer(richTextKind, text, [], patch(2_000)), 'committed');
  });

  test('rich-text: values in attributes count', () => {
    const formats = times(10, (i) => [{ retain: 10_000, attributes: { bold: i } }]);
    const names = Object.fromEntries(times(2_000, (i) => [`a${i}`, i]));
    const patch = times(10, (i) => ({ retain: 1, attributes: { ...names, a0: i } }));
    assert.equal(answer(richTextKind, text, formats, patch), 'version-too-old');
    assert.equal(answer(richTextKind, text, [], patch), 'committed');
  });

  test('rich-text: a step that versions split into many is counted as it grows', () => {
    const patch: Json = [{ delete: 10_000 }];
    const { transformMs } = richTextKind.work(
      parsed(richTextKind, patch),
      typed.map((wire) => parsed(richTextKind, wire)),
    );
    assert.ok(transformMs < LIMITS.workMs);
    assert.equal(answer(richTextKind, text, typed, patch), 'version-too-old');
    assert.equal(answer(richTextKind, text, typed.slice(0, 200), patch), 'committed');
  });

  test('rich-text: typing on a base 10,000 versions back commits', () => {
    const versions = times(10_000, (i) => [{ retain: i + 1 }, { insert: 'y' }]);
    assert.equal(answer(richTextKind, text, versions, [{ retain: 5_000 }, { insert: 'z' }]), 'committed');
  });

  test('work adds up over parts of the history', () => {
    const op = parsed(jsonKind, steps('/y', 10));
    const past = times(6, () => parsed(jsonKind, steps('/x', 7)));
    const whole = jsonKind.work(op, past).transformMs;
    const parts =
      jsonKind.work(op, past.slice(0, 2)).transformMs + jsonKind.work(op, past.slice(2)).transformMs;
    assert.ok(whole > 0 && Math.abs(whole - parts) < 1e-9);
  });
});

describe('SUBMIT-14 a patch that is too costly by itself: too-large', () => {
  const little: KindLimits = { ...LIMITS, workMs: 1 };

  test('json', () => {
    const list = times(20_000, () => 0);
    assert.equal(answer(jsonKind, {}, [], [{ op: 'add', path: '/list', value: list }], little), 'too-large');
    assert.equal(answer(jsonKind, {}, [], [{ op: 'add', path: '/list', value: [0] }], little), 'committed');
  });

  test('json: lists and objects cost more than numbers, members more than elements', () => {
    const add = (value: Json): Wire => [{ op: 'add', path: '/value', value }];
    const costOf = (value: Json) => jsonKind.work(parsed(jsonKind, add(value)), []).applyMs;
    const [numbers, lists, objects] = [0, [], { a: 0 }].map((value) => costOf(times(10_000, () => value)));
    assert.ok(numbers !== undefined && lists !== undefined && objects !== undefined);
    assert.ok(4 * numbers < lists && lists < objects);
    assert.equal(answer(jsonKind, {}, [], add(times(80_000, () => []))), 'too-large');
    assert.equal(answer(jsonKind, {}, [], add(times(20_000, (i) => ({ a: i })))), 'committed');
  });

  test('rich-text', () => {
    const patch = times(5_000, () => ({ insert: { image: 'x' } }));
    assert.equal(answer(richTextKind, [{ insert: '\n' }], [], patch, little), 'too-large');
    assert.equal(answer(richTextKind, [{ insert: '\n' }], [], patch.slice(0, 10), little), 'committed');
  });

  test('rich-text: the size of the document counts, before anything is changed', () => {
    const runs: Json = [...times(2_000, (i) => ({ insert: 'x', attributes: { b: i } })), { insert: '\n' }];
    for (const patch of [[{ delete: 2_000 }], [{ retain: 2_000, attributes: { i: 1 } }]]) {
      assert.equal(answer(richTextKind, runs, [], patch), 'committed');
      const alone = richTextKind.work(parsed(richTextKind, patch), []);
      assert.ok(alone.applyMs < 0.5);
      assert.equal(answer(richTextKind, runs, [], patch, { ...LIMITS, workMs: 0.5 }), 'too-large');
    }
  });

  test('rich-text: formats inside of a run with large attributes', () => {
    const document: Json = [{ insert: `${'x'.repeat(5_000)}\n`, attributes: { note: 'n'.repeat(100_000) } }];
    const formats = times(200, (i) => (i % 2 === 0 ? { retain: 1 } : { retain: 1, attributes: { b: 1 } }));
    assert.equal(answer(richTextKind, document, [], formats), 'too-large');
    assert.equal(answer(richTextKind, document, [], formats.slice(0, 4)), 'committed');
    const inserts = times(100, (i) => (i % 2 === 0 ? { retain: 1 } : { insert: 'y' }));
    assert.equal(answer(richTextKind, document, [], inserts), 'committed');
  });

  test('json: a copy counts what it copies', () => {
    const list = times(100_000, () => 0);
    const copies = (count: number): Json =>
      times(count, (i) => ({ op: 'copy', from: '/list', path: `/copy${i}` }));
    assert.equal(answer(jsonKind, { list }, [], copies(9)), 'too-large');
    assert.equal(answer(jsonKind, { list }, [], copies(2)), 'committed');
  });

  test('json: a value of megabytes is moved, replaced, tested and removed', () => {
    const big = times(30_000, (i) => ({ name: `member ${i}`, done: false }));
    const moves = times(1_000, (i) =>
      i % 2 === 0
        ? { op: 'move', from: '/a/big', path: '/b/big' }
        : { op: 'move', from: '/b/big', path: '/a/big' },
    );
    const document: Json = { a: { big }, b: {} };
    assert.equal(answer(jsonKind, document, [], moves), 'committed');
    assert.equal(answer(jsonKind, document, [], [{ op: 'replace', path: '/a', value: 0 }]), 'committed');
    assert.equal(answer(jsonKind, document, [], [{ op: 'remove', path: '/a/big' }]), 'committed');
  });

  test('json: a long text that is moved again and again', () => {
    const moves = times(1_000, (i) =>
      i % 2 === 0 ? { op: 'move', from: '/a', path: '/b' } : { op: 'move', from: '/b', path: '/a' },
    );
    assert.equal(answer(jsonKind, { a: 'é'.repeat(50_000) }, [], moves), 'too-large');
    assert.equal(answer(jsonKind, { a: 'é'.repeat(50_000) }, [], moves.slice(0, 10)), 'committed');
  });

  test('yjs', () => {
    const values = new Uint8Array(100_000).fill(0x7e);
    // One struct of one client: content `any`, 100,000 times null, in the root type `a`.
    const update = Uint8Array.of(
      1,
      1,
      1,
      0,
      0x08,
      1,
      1,
      0x61,
      0xa0,
      0x8d,
      0x06,
      ...values.subarray(0, 100_000),
      0,
    );
    assert.equal(answer(yjsKind, Uint8Array.of(0, 0), [], update, little), 'too-large');
    assert.equal(answer(yjsKind, Uint8Array.of(0, 0), [], update), 'committed');
  });
});
