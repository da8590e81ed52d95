// Reading recorded sessions: formats, positions in code points, and merges of the edits that authors had
// seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { applyPatches } from '../../../loadtest/clients/author.ts';
import { CodePointText } from '../../../loadtest/clients/code-points.ts';
import { parseTrace, type TracePatch } from '../../../loadtest/replay/trace.ts';
import { planTrace } from '../../../loadtest/replay/trace-plan.ts';
import { fuzzRuns } from '../../support/fuzz-runs.ts';

test('a sequential trace is one agent, and its startContent the first transaction', () => {
  const trace = parseTrace({
    startContent: 'ab',
    endContent: 'axyb',
    txns: [{ patches: [[1, 0, 'x']] }, { patches: [[2, 0, 'y']] }],
  });
  assert.deepEqual(trace.txns, [
    { agent: 0, parents: [], patches: [[0, 0, 'ab']] },
    { agent: 0, parents: [0], patches: [[1, 0, 'x']] },
    { agent: 0, parents: [1], patches: [[2, 0, 'y']] },
  ]);
  assert.deepEqual(
    planTrace(trace).steps.map((step) => [step.version, step.prefix]),
    [
      [1, 0],
      [2, 1],
      [3, 2],
    ],
  );
});

test('a concurrent trace keeps its parents, also behind a transaction that was cut in two', () => {
  const trace = parseTrace({
    kind: 'concurrent',
    endContent: '',
    numAgents: 2,
    txns: [
      { agent: 0, parents: [], patches: [[0, 0, 'x'.repeat(30_000), 'a time']] },
      { agent: 1, parents: [0], patches: [[0, 30_000, '']] },
    ],
  });
  assert.deepEqual(
    trace.txns.map(({ agent, parents }) => ({ agent, parents })),
    [
      { agent: 0, parents: [] },
      { agent: 0, parents: [0] },
      { agent: 1, parents: [1] },
    ],
  );
  const view = new CodePointText();
  for (const txn of trace.txns.slice(0, 2)) applyPatches(view, txn.patches);
  assert.equal(view.toString(), 'x'.repeat(30_000));
});

for (const [what, file] of [
  ['no transactions', { endContent: '' }],
  ['no endContent', { txns: [] }],
  ['a parent that does not come before', { endContent: '', txns: [{ parents: [0], patches: [] }] }],
  ['a patch without text', { endContent: '', txns: [{ patches: [[0, 1]] }] }],
  ['a negative position', { endContent: '', txns: [{ patches: [[-1, 1, '']] }] }],
] as const) {
  test(`a file with ${what} is refused`, () => {
    assert.throws(() => parseTrace(file));
  });
}

test('an agent that has not seen its own transactions is refused', () => {
  const patches: TracePatch[] = [[0, 0, 'a']];
  const txns = [
    { agent: 0, parents: [], patches },
    { agent: 1, parents: [0], patches },
    { agent: 1, parents: [0], patches },
  ];
  assert.throws(() => planTrace({ txns, agents: 2, endContent: '' }), /agent 1 has not seen/);
});

test('authors that saw each other’s edits in opposite orders have no common order', () => {
  const patches: TracePatch[] = [[0, 0, 'a']];
  const txns = [
    { agent: 0, parents: [], patches },
    { agent: 1, parents: [0], patches },
    { agent: 2, parents: [0], patches },
    { agent: 0, parents: [1], patches },
    { agent: 3, parents: [2], patches },
  ];
  const plan = planTrace({ txns, agents: 4, endContent: '' });
  assert.equal(plan.mode, 'merged');
  assert.deepEqual(
    plan.steps.map((step) => step.txn),
    [0, 1, 2, 3, 4],
  );
});

test('code points and UTF-16 units agree with the plain strings at every splice', () => {
  const character = fc.constantFrom('a', 'é', '😀', '漢', '👨‍👩‍👧', '\n', 'long '.repeat(900));
  const splice = fc.record({
    at: fc.nat(),
    length: fc.nat({ max: 40 }),
    inserted: fc.array(character, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(fc.array(splice, { maxLength: 30 }), (splices) => {
      const text = new CodePointText();
      let points: string[] = [];
      for (const { at, length, inserted } of splices) {
        const from = at % (points.length + 1);
        const deleted = Math.min(length, points.length - from);
        const range = text.splice(from, deleted, inserted.join(''));
        assert.equal(range.position, points.slice(0, from).join('').length);
        assert.equal(range.deleted, points.slice(from, from + deleted).join('').length);
        points = [...points.slice(0, from), ...inserted.join(''), ...points.slice(from + deleted)];
        assert.equal(text.points, points.length);
      }
      assert.equal(text.toString(), points.join(''));
      assert.throws(() => text.splice(points.length + 1, 0, ''), RangeError);
    }),
    { numRuns: fuzzRuns(50) },
  );
});
