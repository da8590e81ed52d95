// Random histories of a server and optimistic clients: whatever meets, all hold the same document.
import { test } from 'node:test';
import fc from 'fast-check';
import { EDITS, EVERYTHING } from './json-random.ts';
import { simulate, type Tally } from './json-simulation.ts';

const RUNS = 400 * Number(process.env.FUZZ_RUNS ?? 1);

const tally = (): Tally => ({ commits: 0, rejects: {}, dropped: 0, predicted: 0 });

test('json: replicas converge version by version under add, remove and replace', (t) => {
  const counted = tally();
  const mix = { ops: EDITS, wrongOneIn: 0 };
  fc.assert(
    fc.property(fc.integer(), (seed) => simulate(seed, mix, counted)),
    { numRuns: RUNS },
  );
  t.diagnostic(JSON.stringify(counted));
});

test('json: replicas converge version by version under every kind of step, wrong ones too', (t) => {
  const counted = tally();
  fc.assert(
    fc.property(fc.integer(), (seed) => simulate(seed, EVERYTHING, counted)),
    { numRuns: RUNS },
  );
  t.diagnostic(JSON.stringify(counted));
});
