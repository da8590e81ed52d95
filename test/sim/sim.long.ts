// The simulation at length: the guarantees that few seeds miss, and as many seeds as two processors do in a few minutes.
import { test } from 'node:test';
import { findNothing, isMissed } from './guarantees.ts';

const SEEDS = 300;

for (const [mutation, within] of [
  ['duplicates', 30],
  ['fence', 120],
  ['predecessor', 100],
  ['settling', 300],
] as const) {
  test(`${mutation} taken out is missed within ${within} seeds; whole, the same seed finds nothing`, () =>
    isMissed(mutation, within));
}

test(`${SEEDS} seeds find nothing`, () => findNothing(1, SEEDS));
