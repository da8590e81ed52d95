// Sets of Yjs ids, compared with a plain set of clocks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IdRanges } from '../../../kinds/yjs/id-ranges.ts';
import { runs } from './yjs-edits.ts';

const range = fc.tuple(fc.nat(40), fc.nat(8)).map(([from, length]) => [from, from + length] as const);

const clocksIn = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

test('ranges are sorted, with gaps between them, and hold what a set of their clocks holds', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), range, (added, [from, to]) => {
      const ranges = new IdRanges();
      const plain = new Set<number>();
      for (const [begin, end] of added) {
        const news = clocksIn(begin, end).filter((clock) => !plain.has(clock));
        assert.equal(ranges.add(7, begin, end), news.length > 0);
        for (const clock of news) plain.add(clock);
      }
      const flat = ranges.of(7);
      for (let i = 1; i < flat.length; i++) assert.ok((flat[i] ?? 0) > (flat[i - 1] ?? 0));
      const held: number[] = [];
      for (let i = 0; i < flat.length; i += 2) held.push(...clocksIn(flat[i] ?? 0, flat[i + 1] ?? 0));
      assert.deepEqual(
        held,
        [...plain].sort((a, b) => a - b),
      );
      assert.equal(ranges.count, flat.length / 2);
      const wanted = clocksIn(from, to);
      if (wanted.length > 0)
        assert.equal(
          ranges.has(7, from, to),
          wanted.every((clock) => plain.has(clock)),
        );
      const missing: number[] = [];
      ranges.missing(7, from, to, (begin, end) => missing.push(...clocksIn(begin, end)));
      assert.deepEqual(
        missing,
        wanted.filter((clock) => !plain.has(clock)),
      );
      let prefix = 0;
      while (plain.has(prefix)) prefix++;
      assert.equal(ranges.prefix(7), prefix);
      assert.equal(ranges.has(8, 0, 1), false);
    }),
    { numRuns: runs(500) },
  );
});
