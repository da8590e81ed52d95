// Random histories of a server and optimistic clients: after any concurrent patches all hold the same
// document.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EDITS, EVERYTHING, type StepMix } from './json-random.ts';
import { simulate, type Tally } from './json-simulation.ts';

const RUNS = 200 * Number(process.env.FUZZ_RUNS ?? 1);

const MOVES: StepMix = { ops: [...EDITS, 'move', 'move', 'root'], wrongOneIn: 0 };

const tally = (): Tally => ({ commits: 0, rejects: {}, dropped: 0, looked: 0, guessed: 0, predicted: 0 });

test('json: replicas converge version by version under add, remove and replace', (t) => {
  const counted = tally();
  const mix = { ops: EDITS, wrongOneIn: 0 };
  fc.assert(
    fc.property(fc.integer(), (seed) => simulate(seed, mix, counted)),
    { numRuns: RUNS },
  );
  t.diagnostic(JSON.stringify(counted));
  assert.equal(counted.guessed, 0, 'no document is needed to transform');
  assert.deepEqual(counted.rejects, {}, 'what applies at its base commits');
  assert.equal(counted.predicted, counted.commits, 'every author saw what it would commit');
});

test('json: replicas converge version by version under every kind of step, wrong ones too', (t) => {
  const counted = tally();
  fc.assert(
    fc.property(fc.integer(), (seed) => simulate(seed, EVERYTHING, counted)),
    { numRuns: RUNS },
  );
  t.diagnostic(JSON.stringify(counted));
  // Moves and copies into containers that no longer exist leave a few patches in ten thousand to a guess.
  assert.ok(counted.guessed <= 2 + counted.commits / 1000);
});

// Seeds of histories that once failed, with the fault of each.
const REGRESSIONS: readonly [seed: number, mix: StepMix, what: string][] = [
  [8, EVERYTHING, 'a copy into what it copies kept the copy’s own later content'],
  [2557, MOVES, 'a committed patch still held its `-`'],
  [20, MOVES, 'what a value had left was removed later, and the value with it'],
  [390, MOVES, 'a fruitless move was taken back at unclassified indices'],
  [250, MOVES, 'a move to `-` lost its number when it met a second patch'],
  [138921, EVERYTHING, 'an overwritten object counted as the list that took its place'],
  [6340, MOVES, 'a move onto itself counted as a write'],
];
for (const [seed, mix, what] of REGRESSIONS)
  test(`json: history ${seed}: ${what}`, () => {
    const counted = tally();
    simulate(seed, mix, counted);
    assert.equal(counted.guessed, 0);
  });
