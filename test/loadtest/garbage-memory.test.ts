// The judgement of a garbage run about the memory of the server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryOf, wrongMemory } from '../../loadtest/garbage/garbage-memory.ts';

const MIB = 1024 * 1024;
const LONG_MS = 560_000;
const SAMPLES = 400;

/** A run in which the server uses so many MiB at each share of the run, with a large request now and then. */
const judged = (
  usedMib: (share: number) => number,
  longMs: number | undefined = LONG_MS,
): readonly string[] =>
  wrongMemory(
    memoryOf(
      Array.from(
        { length: SAMPLES },
        (_, at) => (usedMib(at / SAMPLES) + (at % 40 === 7 ? 120 : (at % 7) * 4)) * MIB,
      ),
    ),
    longMs,
  );

test('a garbage run takes memory that fills up and stays, and finds memory that goes on growing', () => {
  assert.deepEqual(
    judged(() => 300),
    [],
  );
  const filling = (share: number): number => 150 + 100 * Math.min(1, share * 2);
  assert.deepEqual(judged(filling), []);
  const leaking = (share: number): number => filling(share) + 220 * share;
  assert.match(judged(leaking).join(), /^memory still grew at the end: by \d+ bytes[^,]*$/);
  assert.deepEqual(judged(leaking, 60_000), [], 'a short run is not judged by its quarters');
  assert.match(judged((share) => 150 + 800 * share, 60_000).join(), /^memory grew by \d+ bytes$/);
});
