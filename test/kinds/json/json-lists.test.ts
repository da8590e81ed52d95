// Long lists of kind json are held in chunks. Every patch has the same effect on them as on plain lists.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ChunkedList } from '../../../kinds/json/held/chunked-list.ts';
import { HELD_SHAPE, HeldList, isList, memberOf } from '../../../kinds/json/held/held.ts';
import { type JsonState, jsonKind } from '../../../kinds/json/json.ts';
import type { Json } from '../../../protocol/messages.ts';
import { LIMITS, parsed } from './json-meet.ts';

const RUNS = 300 * Number(process.env.FUZZ_RUNS ?? 1);

test('a chunked list is what an array is, across the borders of its chunks', () => {
  const edit = fc.record({ insert: fc.boolean(), at: fc.nat(), item: fc.nat() });
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 60 }), fc.array(edit, { maxLength: 200 }), (items, edits) => {
      const plain = [...items];
      const list = new ChunkedList(items, 4);
      for (const { insert, at, item } of edits) {
        if (insert || plain.length === 0) {
          const gap = at % (plain.length + 1);
          plain.splice(gap, 0, item);
          list.insert(gap, item);
        } else if (item % 3 === 0) {
          list.set(at % plain.length, item);
          plain[at % plain.length] = item;
        } else assert.equal(list.remove(at % plain.length), plain.splice(at % plain.length, 1)[0]);
        assert.equal(list.length, plain.length);
      }
      assert.deepEqual(list.toArray(), plain);
      for (const [index, item] of plain.entries()) assert.equal(list.at(index), item);
    }),
    { numRuns: RUNS },
  );
});

test('a chunked list that is emptied and filled again stays one, and has no element outside', () => {
  const list = new ChunkedList(
    Array.from({ length: 100 }, (_, i) => i),
    4,
  );
  for (let i = 99; i >= 0; i--) assert.equal(list.remove(0), 99 - i);
  assert.deepEqual(list.toArray(), []);
  assert.throws(() => list.remove(0), RangeError);
  assert.throws(() => list.at(0), RangeError);
  assert.throws(() => list.insert(1, 0), RangeError);
  for (let i = 0; i < 100; i++) list.insert(i >> 1, i);
  assert.equal(list.length, 100);
});

describe('a list of many elements', () => {
  const many = HELD_SHAPE.plainItems;
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  const listIn = (state: JsonState): unknown => {
    const { root } = state;
    assert.ok(typeof root === 'object' && root !== null && !isList(root));
    return memberOf(root, 'list');
  };

  function committed(document: Json, steps: Json): { state: JsonState; wire: unknown; back: () => unknown } {
    const state = jsonKind.load(document);
    const result = jsonKind.commit(state, parsed(steps), [], LIMITS);
    assert.ok(result.ok, result.ok ? '' : result.message);
    const { op, undo } = result.value;
    return {
      state,
      wire: jsonKind.wire(op),
      back: () => {
        jsonKind.revert(state, undo);
        return jsonKind.snapshot(state);
      },
    };
  }

  test('is held in chunks when it is loaded, put in, or grows, and is JSON in every snapshot', () => {
    const loaded = jsonKind.load({ list: numbers(many + 1) });
    assert.ok(listIn(loaded) instanceof HeldList);
    assert.deepEqual(jsonKind.snapshot(loaded), { list: numbers(many + 1) });
    const put = committed({}, [{ op: 'add', path: '/list', value: numbers(many + 1) }]);
    assert.ok(listIn(put.state) instanceof HeldList);
    const grown = committed({ list: numbers(many) }, [
      { op: 'add', path: '/list/1', value: 'x' },
      { op: 'add', path: '/list/-', value: 'y' },
    ]);
    assert.ok(listIn(grown.state) instanceof HeldList);
    assert.deepEqual(jsonKind.snapshot(grown.state), { list: [0, 'x', ...numbers(many).slice(1), 'y'] });
    assert.deepEqual(grown.back(), { list: numbers(many) });
    assert.ok(Array.isArray(listIn(grown.state)));
  });

  test('grows also where it is the root or an element', () => {
    const cases: [document: Json, path: string][] = [
      [numbers(many), '/0'],
      [[[numbers(many)]], '/0/0/0'],
    ];
    for (const [document, path] of cases) {
      const { state, back } = committed(document, [{ op: 'add', path, value: 'x' }]);
      const grown = JSON.stringify(document).replace('[0,', '["x",0,');
      assert.equal(JSON.stringify(jsonKind.snapshot(state)), grown);
      assert.deepEqual(back(), document);
    }
  });

  test('patches of several versions that grow it are taken back one after the other', () => {
    const state = jsonKind.load({ list: numbers(many - 1) });
    const undos = numbers(4).map((i) => {
      const done = jsonKind.apply(state, parsed([{ op: 'add', path: `/list/${i}`, value: 'x' }]));
      assert.ok(done.ok);
      return done.value.undo;
    });
    assert.ok(listIn(state) instanceof HeldList);
    for (const undo of undos.reverse()) jsonKind.revert(state, undo);
    assert.deepEqual(jsonKind.snapshot(state), { list: numbers(many - 1) });
    assert.equal(state.bytes, jsonKind.load({ list: numbers(many - 1) }).bytes);
  });

  test('is tested, replaced, moved, copied and removed like any', () => {
    const list = numbers(many + 10);
    const { state, wire, back } = committed({ list, x: 0 }, [
      { op: 'test', path: '/list', value: list },
      { op: 'test', path: '/list/7', value: 7 },
      { op: 'replace', path: '/list/7', value: 'seven' },
      { op: 'move', from: '/list/0', path: '/list/-' },
      { op: 'move', from: '/x', path: '/list/1' },
      { op: 'copy', from: '/list', path: '/copy' },
      { op: 'remove', path: '/list/0' },
    ]);
    const moved = [1, 0, ...list.slice(2).map((i) => (i === 7 ? 'seven' : i)), 0];
    assert.deepEqual(jsonKind.snapshot(state), { list: moved.slice(1), copy: moved });
    assert.equal(state.bytes, jsonKind.load(jsonKind.snapshot(state)).bytes);
    assert.deepEqual((wire as unknown[]).at(-2), { op: 'add', path: '/copy', value: moved });
    assert.deepEqual(back(), { list, x: 0 });
  });

  test('a test of another list is false', () => {
    const list = numbers(many + 10);
    for (const value of [list.slice(1), [...list, 0], list.with(500, 5), {}, null, []]) {
      const result = jsonKind.commit(
        jsonKind.load({ list }),
        parsed([{ op: 'test', path: '/list', value }]),
        [],
        LIMITS,
      );
      assert.equal(result.ok ? 'ok' : result.code, 'test-failed');
    }
  });

  test('JSON-7 JSON-8 indices shift past what was committed since, and `-` is its end', () => {
    const state = jsonKind.load({ list: numbers(many + 10) });
    const earlier = jsonKind.commit(state, parsed([{ op: 'remove', path: '/list/3' }]), [], LIMITS);
    assert.ok(earlier.ok);
    const patch = parsed([
      { op: 'replace', path: '/list/9', value: 'nine' },
      { op: 'add', path: '/list/-', value: 'end' },
      { op: 'add', path: `/list/${many + 10}`, value: 'before the end' },
    ]);
    const later = jsonKind.commit(state, patch, [earlier.value.op], LIMITS);
    assert.ok(later.ok);
    assert.deepEqual(jsonKind.wire(later.value.op), [
      { op: 'replace', path: '/list/8', value: 'nine' },
      { op: 'add', path: `/list/${many + 9}`, value: 'end' },
      { op: 'add', path: `/list/${many + 9}`, value: 'before the end' },
    ]);
  });
});
