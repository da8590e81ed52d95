// The contract's table of cases for the kind `json`, row by row.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jsonKind } from '../../../kinds/json/json.ts';
import type { Json } from '../../../protocol/messages.ts';
import { meet, parsed, patch } from './json-meet.ts';

const add = (path: string, value: Json) => ({ op: 'add', path, value });
const replace = (path: string, value: Json) => ({ op: 'replace', path, value });
const remove = (path: string) => ({ op: 'remove', path });
const move = (from: string, path: string) => ({ op: 'move', from, path });
const copy = (from: string, path: string) => ({ op: 'copy', from, path });
const expect = (path: string, value: Json) => ({ op: 'test', path, value });

describe('JSON-2 two writes of one member: the later committed wins whole', () => {
  for (const [name, first] of [
    ['add', add('/x', { of: 'first' })],
    ['replace', replace('/x', { of: 'first' })],
    ['move onto', move('/y', '/x')],
    ['copy onto', copy('/y', '/x')],
  ] as const)
    for (const [other, second] of [
      ['add', add('/x', { of: 'second' })],
      ['replace', replace('/x', { of: 'second' })],
      ['move onto', move('/z', '/x')],
      ['copy onto', copy('/z', '/x')],
    ] as const)
      test(`${name} × ${other}`, () => {
        const document = { x: { old: 1 }, y: { of: 'first' }, z: { of: 'second' } };
        const { document: after } = meet(document, [first], [second]);
        assert.deepEqual((after as { x: Json }).x, { of: 'second' });
      });
});

describe('JSON-3 remove × write of one member: the later wins', () => {
  test('write, then remove', () => {
    assert.deepEqual(meet({ x: 1 }, [replace('/x', 2)], [remove('/x')]).document, {});
  });
  test('remove, then replace: it commits as add', () => {
    const met = meet({ x: 1 }, [remove('/x')], [replace('/x', 2)]);
    assert.deepEqual(met, { document: { x: 2 }, op: [add('/x', 2)] });
  });
  test('remove, then add', () => {
    assert.deepEqual(meet({ x: 1 }, [remove('/x')], [add('/x', 2)]).document, { x: 2 });
  });
});

describe('JSON-4 replace × remove of a list element: removed, in either order', () => {
  test('replace, then remove', () => {
    assert.deepEqual(meet({ l: [1, 2, 3] }, [replace('/l/1', 9)], [remove('/l/1')]).document, { l: [1, 3] });
  });
  test('remove, then replace', () => {
    const met = meet({ l: [1, 2, 3] }, [remove('/l/1')], [replace('/l/1', 9)]);
    assert.deepEqual(met, { document: { l: [1, 3] }, op: [] });
  });
});

describe('JSON-5 a step inside a removed or overwritten value has no effect', () => {
  test('removed', () => {
    assert.deepEqual(meet({ x: { y: 1 } }, [remove('/x')], [replace('/x/y', 2), add('/z', 3)]), {
      document: { z: 3 },
      op: [add('/z', 3)],
    });
  });
  test('overwritten', () => {
    const met = meet({ x: { y: 1 } }, [replace('/x', { y: 5 })], [replace('/x/y', 2)]);
    assert.deepEqual(met, { document: { x: { y: 5 } }, op: [] });
  });
  test('even if something was added there again', () => {
    const met = meet({ x: { y: 1 } }, [remove('/x')], [replace('/x/y', 2)]);
    assert.deepEqual(met.op, []);
    const again = meet({ x: { y: 1 } }, [remove('/x'), add('/x', { y: 7 })], [replace('/x/y', 2)]);
    assert.deepEqual(again, { document: { x: { y: 7 } }, op: [] });
    const element = meet({ l: [{ y: 1 }] }, [remove('/l/0'), add('/l/0', { y: 7 })], [replace('/l/0/y', 2)]);
    assert.deepEqual(element, { document: { l: [{ y: 7 }] }, op: [] });
  });
  test('steps of one patch that stand on such a step have none either', () => {
    const met = meet({ x: { l: [] } }, [remove('/x')], [add('/x/l/0', {}), add('/x/l/0/k', 1)]);
    assert.deepEqual(met, { document: {}, op: [] });
  });
});

describe('JSON-6 root ""', () => {
  test('add, replace and test only', () => {
    assert.deepEqual(patch({ x: 1 }, [expect('', { x: 1 }), add('', [1])]), [1]);
    assert.equal(patch({ x: 1 }, [replace('', 'text')]), 'text');
    assert.equal(patch({ x: 1 }, [remove('')]), 'bad-op');
    assert.equal(patch({ x: 1 }, [move('/x', '')]), 'bad-op');
    assert.equal(patch({ x: 1 }, [copy('', '/x')]), 'bad-op');
  });
  test('later steps made without seeing the new root have no effect', () => {
    assert.deepEqual(meet({ x: 1 }, [replace('', { x: 5 })], [replace('/x', 2)]), {
      document: { x: 5 },
      op: [],
    });
  });
  test('a later root write wins', () => {
    assert.deepEqual(meet({ x: 1 }, [replace('', { x: 5 })], [replace('', 7)]).document, 7);
    assert.deepEqual(meet({ x: 1 }, [replace('/x', 5)], [add('', 7)]).document, 7);
  });
});

describe('JSON-7 list indices', () => {
  const document = { l: [0, 1, 2, 3] };
  test('shift past concurrent inserts and removals', () => {
    assert.deepEqual(meet(document, [add('/l/1', 'n')], [replace('/l/2', 'r')]).document, {
      l: [0, 'n', 1, 'r', 3],
    });
    assert.deepEqual(meet(document, [remove('/l/0')], [replace('/l/2', 'r')]).document, { l: [1, 'r', 3] });
    assert.deepEqual(meet({ l: [[1], [2]] }, [add('/l/0', [])], [add('/l/1/0', 'n')]).document, {
      l: [[], [1], ['n', 2]],
    });
  });
  test('two inserts at one index: the earlier committed stands first', () => {
    assert.deepEqual(meet(document, [add('/l/2', 'a')], [add('/l/2', 'b')]).document, {
      l: [0, 1, 'a', 'b', 2, 3],
    });
  });
  test('a move’s target counts as an insert', () => {
    assert.deepEqual(meet(document, [add('/l/0', 'a')], [move('/l/3', '/l/0')]).document, {
      l: ['a', 3, 0, 1, 2],
    });
    assert.deepEqual(meet(document, [move('/l/3', '/l/0')], [add('/l/0', 'a')]).document, {
      l: [3, 'a', 0, 1, 2],
    });
    assert.deepEqual(meet(document, [move('/l/3', '/l/0')], [replace('/l/0', 'r')]).document, {
      l: [3, 'r', 1, 2],
    });
  });
  test('past the end at base: bad-op, never clamped', () => {
    assert.equal(patch(document, [add('/l/5', 1)]), 'bad-op');
    assert.equal(patch(document, [remove('/l/4')]), 'bad-op');
    assert.equal(meet(document, [add('/l/4', 'n')], [replace('/l/4', 1)]).op, 'bad-op');
    assert.equal(meet(document, [add('/l/0', 'n'), add('/l/0', 'n')], [add('/l/5', 1)]).op, 'bad-op');
  });
  test('a value that an author put somewhere is found there again', () => {
    const met = meet(document, [add('/l/2', 'a')], [add('/l/2', {}), add('/l/2/k', 1)]);
    assert.deepEqual(met.document, { l: [0, 1, 'a', { k: 1 }, 2, 3] });
  });
});

describe('JSON-8 `-`', () => {
  test('is the end of the list at commit, committed as a number', () => {
    assert.deepEqual(meet({ l: [1] }, [add('/l/-', 'a')], [add('/l/-', 'b')]), {
      document: { l: [1, 'a', 'b'] },
      op: [add('/l/2', 'b')],
    });
    assert.deepEqual(meet({ l: [1], x: 2 }, [add('/l/1', 'a')], [move('/x', '/l/-')]).op, [
      move('/x', '/l/2'),
    ]);
  });
  test('on an object it is a member', () => {
    assert.deepEqual(meet({ o: { '-': 1 } }, [add('/o/-', 2)], [replace('/o/-', 3)]).document, {
      o: { '-': 3 },
    });
  });
  test('a value that a patch put into a list is named by number in the same patch', () => {
    const met = meet(
      { l: [1], x: { k: 1 } },
      [add('/l/0', 0), remove('/x/k')],
      [move('/x', '/l/-'), add('/l/1/n', 2), replace('/l/1/k', 3)],
    );
    assert.deepEqual(met.document, { l: [0, 1, { n: 2, k: 3 }] });
  });
});

describe('JSON-9 digit keys: the container decides', () => {
  test('members of an object do not shift', () => {
    assert.deepEqual(meet({ o: { '0': 'a', '1': 'b' } }, [remove('/o/0')], [replace('/o/1', 'c')]).document, {
      o: { '1': 'c' },
    });
    assert.deepEqual(meet({ o: { '1': 'b' } }, [add('/o/0', 'a')], [replace('/o/1', 'c')]).document, {
      o: { '0': 'a', '1': 'c' },
    });
  });
  for (const token of ['01', '+0', '-0', '1e0', '0x0', ' 0', '', 'x']) {
    test(`\`${token}\` on a list is bad-op in every step, at its end and inside its path`, () => {
      const document = { l: [[1], 2], o: { l: [1] }, x: 0 };
      for (const path of [`/l/${token}`, `/l/${token}/0`, `/l/0/${token}`, `/o/l/${token}`]) {
        const steps = [
          add(path, 1),
          remove(path),
          replace(path, 1),
          expect(path, 1),
          move('/x', path),
          copy('/x', path),
          move(path, '/y'),
          copy(path, '/y'),
        ];
        for (const step of steps) {
          assert.equal(patch(document, [step]), 'bad-op', JSON.stringify(step));
          assert.equal(meet(document, [add('/l/0', 1)], [step]).op, 'bad-op', JSON.stringify(step));
        }
      }
    });
  }
  test('a test of an element that is not there is false', () => {
    for (const path of ['/l/1', '/l/99999999999', '/l/-', '/l/1/x', '/x/01', '/none/01'])
      assert.equal(patch({ l: [0], x: 1 }, [expect(path, 0)]), 'test-failed', path);
  });
  test('`01` is a member of an object, and on a list bad-op', () => {
    assert.deepEqual(patch({ o: {} }, [add('/o/01', 1)]), { o: { '01': 1 } });
    assert.equal(patch({ l: [1, 2] }, [replace('/l/01', 1)]), 'bad-op');
    assert.equal(meet({ l: [1, 2] }, [add('/l/0', 1)], [replace('/l/01', 1)]).op, 'bad-op');
  });
});

describe('JSON-10 JSON-11 JSON-12 move × move', () => {
  test('of two writes to one value the later wins', () => {
    assert.deepEqual(meet({ x: 1 }, [move('/x', '/a')], [move('/x', '/b')]), {
      document: { b: 1 },
      op: [move('/a', '/b')],
    });
    assert.deepEqual(meet({ l: [0, 1, 2, 3] }, [move('/l/0', '/l/1')], [move('/l/0', '/l/3')]).document, {
      l: [1, 2, 3, 0],
    });
  });
  test('a step at a moved value follows it', () => {
    const document = { x: { k: 1 }, l: [] };
    assert.deepEqual(meet(document, [move('/x', '/l/0')], [replace('/x/k', 2)]).document, { l: [{ k: 2 }] });
    assert.deepEqual(meet(document, [move('/x', '/l/0')], [replace('/x', 2)]).document, { l: [2] });
    assert.deepEqual(meet(document, [move('/x', '/l/0')], [add('/x', 2)]).document, { l: [2] });
    assert.deepEqual(meet(document, [replace('/x/k', 2)], [move('/x', '/l/0')]).document, { l: [{ k: 2 }] });
  });
  test('a cycle: no effect, the value stays', () => {
    const met = meet({ a: { n: 1 }, b: {} }, [move('/a', '/b/a')], [move('/b', '/a/b'), replace('/a/b', 2)]);
    assert.deepEqual(met.document, { b: 2 });
    assert.deepEqual(meet({ a: {}, b: {} }, [move('/a', '/b/a')], [move('/b', '/a/b')]), {
      document: { b: { a: {} } },
      op: [],
    });
  });
  test('a target container that is gone: no effect, the value stays', () => {
    const met = meet({ a: { k: 1 }, b: {} }, [remove('/b')], [move('/a', '/b/a'), replace('/b/a/k', 2)]);
    assert.deepEqual(met.document, { a: { k: 2 } });
  });
});

describe('a move whose `from` becomes a prefix of its `path`, which RFC 6902 forbids', () => {
  const document = { l: [1, 2, {}] };
  test('commits as two steps', () => {
    assert.deepEqual(meet(document, [remove('/l/1')], [move('/l/0', '/l/1/x')]), {
      document: { l: [{ x: 1 }] },
      op: [remove('/l/0'), add('/l/0/x', 1)],
    });
  });
  test('goes over the wire as two steps', () => {
    const state = jsonKind.load(document);
    const pending = parsed([move('/l/0', '/l/1/x')]);
    const past = jsonKind.apply(state, parsed([remove('/l/1')]));
    assert.ok(past.ok);
    const wire = jsonKind.wire(jsonKind.transform(pending, past.value.op));
    assert.deepEqual(wire, [copy('/l/0', '/l/1/x'), remove('/l/0')]);
    assert.deepEqual(patch({ l: [1, {}] }, wire), { l: [{ x: 1 }] });
  });
});

describe('JSON-13 remove × move: removed', () => {
  test('a later remove finds the value where it went', () => {
    assert.deepEqual(meet({ x: 1, l: [0] }, [move('/x', '/l/0')], [remove('/x')]).document, { l: [0] });
  });
  test('an earlier remove makes the move nothing', () => {
    assert.deepEqual(meet({ x: 1, y: 2 }, [remove('/x')], [move('/x', '/y')]), {
      document: { y: 2 },
      op: [],
    });
  });
  test('removing what the value has left does not take it along', () => {
    assert.deepEqual(meet({ b: { v: 1 } }, [move('/b/v', '/v')], [remove('/b')]).document, { v: 1 });
  });
});

describe('JSON-14 copy', () => {
  test('takes the value at commit, and commits as add', () => {
    assert.deepEqual(meet({ x: 1 }, [replace('/x', 2)], [copy('/x', '/y')]), {
      document: { x: 2, y: 2 },
      op: [add('/y', 2)],
    });
  });
  test('source gone: no effect', () => {
    assert.deepEqual(meet({ x: 1 }, [remove('/x')], [copy('/x', '/y')]), { document: {}, op: [] });
  });
  test('sizes are checked before anything is copied', () => {
    const doubling = Array.from({ length: 60 }, (_, i) => copy('/x', `/x/${i}`));
    assert.equal(patch({ x: ['text'] }, doubling), 'too-large');
    const again = Array.from({ length: 5000 }, () => copy('/x', '/y'));
    assert.equal(patch({ x: 'a'.repeat(1 << 16) }, again), 'too-large');
  });
  test('steps on the copy see what happened to the source', () => {
    const met = meet({ x: [1, 2], y: 0 }, [add('/x/0', 0)], [copy('/x', '/y'), replace('/y/1', 'r')]);
    assert.deepEqual(met.document, { x: [0, 1, 2], y: [0, 1, 'r'] });
  });
});

describe('JSON-15 test', () => {
  test('is evaluated in sequence, and left out of the committed patch', () => {
    const steps = [expect('/x', 1), replace('/x', 2), expect('/x', 2)];
    assert.deepEqual(meet({ x: 1 }, steps), { document: { x: 2 }, op: [replace('/x', 2)] });
  });
  test('on the transformed path when it commits', () => {
    assert.deepEqual(meet({ l: ['a'] }, [add('/l/0', 'n')], [expect('/l/0', 'a'), add('/x', 1)]).op, [
      add('/x', 1),
    ]);
    assert.equal(meet({ x: 1 }, [replace('/x', 2)], [expect('/x', 1), add('/y', 1)]).op, 'test-failed');
  });
  test('target gone, even if something is there again: the whole patch is rejected', () => {
    const met = meet({ x: { k: 1 } }, [replace('/x', { k: 1 })], [add('/y', 1), expect('/x/k', 1)]);
    assert.deepEqual(met, { document: { x: { k: 1 } }, op: 'test-failed' });
    assert.equal(meet({ x: 1 }, [remove('/x'), add('/x', 1)], [expect('/x', 1)]).op, 'test-failed');
    assert.equal(patch({}, [expect('/nothing', null)]), 'test-failed');
  });
});

describe('JSON-16 `__proto__`, `constructor`, `prototype` in a path: bad-op', () => {
  for (const name of ['__proto__', 'constructor', 'prototype'])
    test(name, () => {
      assert.equal(patch({}, [add(`/${name}`, 1)]), 'bad-op');
      assert.equal(patch({ x: {} }, [add(`/x/${name}/y`, 1)]), 'bad-op');
      assert.equal(patch({ x: 1 }, [move('/x', `/${name}`)]), 'bad-op');
      assert.equal(patch({ x: 1 }, [copy(`/${name}`, '/y')]), 'bad-op');
      assert.equal(patch({ x: 1 }, [expect(`/${name}`, 1)]), 'bad-op');
    });
});
