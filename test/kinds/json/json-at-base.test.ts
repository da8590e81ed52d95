// A patch is judged on the document at its base, whatever was committed there since.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HELD_SHAPE } from '../../../kinds/json/held/held.ts';
import { type JsonKind, type JsonOp, type JsonUndo, jsonKind, jsonKindOf } from '../../../kinds/json/json.ts';
import type { Json } from '../../../protocol/messages.ts';
import { LIMITS, meet, parsed } from './json-meet.ts';
import { stepsThatApply } from './json-plain-apply.ts';
import {
  canonical,
  EVERYTHING,
  pick,
  type Random,
  randomDocument,
  randomOf,
  randomStep,
} from './json-random.ts';

const RUNS = 1_000 * Number(process.env.FUZZ_RUNS ?? 1);

const add = (path: string, value: Json) => ({ op: 'add', path, value });
const replace = (path: string, value: Json) => ({ op: 'replace', path, value });
const remove = (path: string) => ({ op: 'remove', path });
const move = (from: string, path: string) => ({ op: 'move', from, path });
const copy = (from: string, path: string) => ({ op: 'copy', from, path });
const expect = (path: string, value: Json) => ({ op: 'test', path, value });

describe('MEET-2 a patch that was wrong at its base is bad-op, whatever was committed there since', () => {
  const ok = add('/ok', 1);
  const cases: readonly [what: string, document: Json, newer: Json[], patch: Json[]][] = [
    ['remove of a member that another made', {}, [add('/b', 1)], [remove('/b')]],
    ['replace of it', {}, [add('/b', 1)], [replace('/b', 5)]],
    ['move of it', {}, [add('/b', 1)], [move('/b', '/c')]],
    ['copy of it', {}, [add('/b', 1)], [copy('/b', '/c')]],
    ['copy of what is in it', {}, [add('/b', { q: 1 })], [copy('/b/q', '/c')]],
    ['remove of a member that was moved there', { a: 1 }, [move('/a', '/b')], [remove('/b')]],
    ['a place in an object that another made', {}, [add('/a', {})], [add('/a/x', 1), ok]],
    ['a place past the end of a list that is gone', { l: [1] }, [remove('/l')], [add('/l/7', 1), ok]],
    ['no index of a list that is gone', { l: [1] }, [remove('/l')], [add('/l/01', 1), ok]],
    ['no index of a list that is an object now', { l: [1] }, [replace('/l', {})], [add('/l/01', 5)]],
    ['a test of no index of that list', { l: [1] }, [replace('/l', {})], [expect('/l/01', 5)]],
    ['a place in a scalar that is an object now', { a: 1 }, [replace('/a', {})], [add('/a/x', 1)]],
    [
      'a member of a string that is an object now',
      { a: 's' },
      [replace('/a', { x: 1 })],
      [replace('/a/x', 2)],
    ],
    ['a member of a scalar that is gone', { a: 1 }, [remove('/a')], [replace('/a/x', 1)]],
    ['a missing member of an object that is gone', { o: { x: 1 } }, [remove('/o')], [remove('/o/nope')]],
    ['a missing member under another root', { a: 1 }, [replace('', {})], [remove('/zzz')]],
    [
      'a place that its own copy has only now',
      { a: {} },
      [add('/a/x', 1)],
      [copy('/a', '/c'), remove('/c/x')],
    ],
    [
      'a place that it has taken away itself',
      { a: { x: 1 } },
      [replace('/a', {})],
      [remove('/a/x'), remove('/a/x')],
    ],
  ];
  for (const [what, document, newer, patch] of cases)
    test(what, () => {
      assert.equal(meet(document, patch).op, 'bad-op', 'wrong at its base');
      const before = meet(document, newer).document;
      assert.deepEqual(meet(document, newer, patch), { document: before, op: 'bad-op' });
    });
  test('the same over several versions', () => {
    assert.equal(meet({}, [add('/b', 1)], [remove('/b')], [replace('/b', 2)]).op, 'bad-op');
    assert.equal(meet({ a: 1 }, [move('/a', '/b')], [remove('/b')], [remove('/b')]).op, 'bad-op');
    assert.deepEqual(meet({ b: 0 }, [remove('/b')], [add('/b', 1)], [replace('/b', 2)]).op, [add('/b', 2)]);
  });
  test('a test that fails when its patch commits decides before the steps behind it', () => {
    const met = meet({ a: 1 }, [replace('/a', 2), add('/b', 1)], [expect('/a', 1), remove('/b')]);
    assert.equal(met.op, 'test-failed');
  });
  test('a test of a member that another made is evaluated when it commits', () => {
    assert.deepEqual(meet({}, [add('/b', 1)], [expect('/b', 1), add('/c', 1)]).op, [add('/c', 1)]);
  });
});

test('MEET-2 without what undoes the newer patches, a patch in doubt asks for its base', () => {
  const newer = jsonKind.commit(jsonKind.create(), parsed([add('/b', { c: 1 })]), [], LIMITS);
  assert.ok(newer.ok);
  const state = jsonKind.load({ b: { c: 1 } });
  const past = [newer.value.op];
  const asked = jsonKind.commit(state, parsed([remove('/b')]), past, LIMITS);
  assert.equal(asked.ok ? '' : asked.code, 'needs-base');
  assert.deepEqual(jsonKind.snapshot(state), { b: { c: 1 } }, 'the document is as it was');
  const fit = jsonKind.looksBack?.fit(jsonKind.create(), parsed([remove('/b')]));
  assert.deepEqual(fit, { steps: 0, message: 'step 0: path does not exist' });
  const judged = jsonKind.commit(state, parsed([remove('/b')]), past, LIMITS, { undos: [], fit });
  assert.equal(judged.ok ? '' : judged.code, 'bad-op');
  // These need no base: nothing that is new there says whether they were right.
  for (const patch of [[add('/b', 2)], [add('/x', 1)], [replace('', [])]])
    assert.ok(jsonKind.commit(jsonKind.load({ b: {} }), parsed(patch), past, LIMITS).ok);
});

test('SUBMIT-13 looking at the base costs no more than workMs', () => {
  const state = jsonKind.load({ l: [], o: { a: 1 } });
  const newer = jsonKind.commit(state, parsed([replace('/o', {})]), [], LIMITS);
  assert.ok(newer.ok);
  const steps = Array.from({ length: 4_000 }, (_, i) => add('/l/0', i));
  const { op, undo } = newer.value;
  const of = (patch: Json[], workMs: number) =>
    jsonKind.commit(state, parsed(patch), [op], { ...LIMITS, workMs }, { undos: [undo] });
  const within = of([...steps, remove('/o/a')], 10_000);
  assert.ok(within.ok);
  jsonKind.revert(state, within.value.undo);
  const beyond = of([...steps, remove('/o/a')], 20);
  assert.equal(beyond.ok ? '' : beyond.code, 'version-too-old');
  assert.deepEqual(jsonKind.snapshot(state), { l: [], o: {} }, 'the document is as it was');
});

/** Lists and objects change their form early, so that undos cross such changes. */
const early = jsonKindOf({ ...HELD_SHAPE, plainItems: 2, fanOut: 4, largeBytes: 0, plainBytes: 24 });

test('MEET-2 exactly the patches that do not apply at their base are bad-op', (t) => {
  const counted: Record<string, number> = { wrong: 0, asked: 0 };
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), (seed, isEarly) =>
      judge(randomOf(seed), isEarly ? early : jsonKind, counted),
    ),
    { numRuns: RUNS },
  );
  t.diagnostic(JSON.stringify(counted));
  for (const [what, count] of Object.entries(counted)) assert.ok(count >= RUNS / 100, `${what}: ${count}`);
});

/** Commits a random patch, made on any version of a random history, with any version as its base. */
function judge(random: Random, kind: JsonKind, counted: Record<string, number>): void {
  const document = randomDocument(random);
  const state = kind.load(document);
  const documents: Json[] = [document];
  const log: JsonOp[] = [];
  const undos: JsonUndo[] = [];
  for (let version = 1 + random(4); version > 0; version--) {
    const patch = randomPatch(random, kind.snapshot(state) as Json);
    const committed = kind.commit(state, parsed(patch), [], LIMITS);
    if (!committed.ok) continue;
    log.push(committed.value.op);
    undos.push(kind.looksBack?.kept(committed.value.undo) ?? committed.value.undo);
    documents.push(kind.snapshot(state) as Json);
  }
  const base = random(documents.length);
  const atBase = documents[base] ?? null;
  const patch = randomPatch(random, pick(random, documents));
  const right = stepsThatApply(structuredClone(atBase), structuredClone(patch)) === patch.length;
  const past = log.slice(base);
  const before = canonical(kind.snapshot(state) as Json);
  // Another owner, which has loaded the document and knows no undo.
  const other = kind.load(JSON.parse(before));
  const result = kind.commit(state, parsed(patch), past, LIMITS, { undos: undos.slice(base) });
  const outcome = result.ok ? 'committed' : result.code;
  const what = `${JSON.stringify(patch)} at ${JSON.stringify(atBase)}`;
  if (outcome !== 'test-failed') assert.equal(outcome === 'bad-op', !right, `${outcome}: ${what}`);
  else
    assert.ok(
      patch.some((step) => step.op === 'test'),
      what,
    );
  if (!result.ok) assert.equal(canonical(kind.snapshot(state) as Json), before, 'the document is as it was');
  let again = kind.commit(other, parsed(patch), past, LIMITS);
  if (!again.ok && again.code === 'needs-base') {
    counted.asked = (counted.asked ?? 0) + 1;
    const fit = kind.looksBack?.fit(kind.load(atBase), parsed(patch));
    again = kind.commit(other, parsed(patch), past, LIMITS, { undos: [], fit });
  }
  assert.equal(again.ok ? 'committed' : again.code, outcome, `another owner: ${what}`);
  assert.equal(canonical(kind.snapshot(other) as Json), canonical(kind.snapshot(state) as Json));
  if (!right) counted.wrong = (counted.wrong ?? 0) + 1;
}

/** Steps made one on the other on `document`, some of them wrong. */
function randomPatch(random: Random, document: Json): { op: string; path: string; [key: string]: Json }[] {
  const scratch = jsonKind.load(document);
  const patch: { op: string; path: string; [key: string]: Json }[] = [];
  for (let i = 1 + (random(2) === 0 ? random(4) : 0); i > 0; i--) {
    const step = randomStep(random, jsonKind.snapshot(scratch) as Json, EVERYTHING) as (typeof patch)[number];
    patch.push(step);
    jsonKind.apply(scratch, parsed([step]));
  }
  return patch;
}
