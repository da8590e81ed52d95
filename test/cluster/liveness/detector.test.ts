// The failure detector never takes delay or its own pauses for a death, and always finds a death in time.
// Over 400 lines, because the tests go through the verdicts by their evidence, in the order of detector.ts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  DETECTOR_TIMES,
  Detector,
  type DetectorEffect,
  type DetectorEvent,
} from '../../../cluster/liveness/detector.ts';
import { fuzzRuns } from '../../support/fuzz-runs.ts';

const { heartbeatMs, missedHeartbeats, tickMs, fenceGapMs, repeatMs } = DETECTOR_TIMES;
const SILENT_MS = heartbeatMs * missedHeartbeats;
/** Silence, the tick that comes after it, and the second tick. */
const BOUND_MS = SILENT_MS + 2 * tickMs;

/** A detector and a clock that ticks for it. */
class Watch {
  readonly detector = new Detector();
  readonly effects: (DetectorEffect & { readonly atMs: number })[] = [];
  nowMs = 0;

  constructor(...runs: readonly string[]) {
    for (const run of runs)
      this.tell({ type: 'known', run }, { type: 'link-up', run }, { type: 'heartbeat', run });
    this.tell({ type: 'tick' });
  }

  tell(...events: readonly DetectorEvent[]): void {
    for (const event of events)
      for (const effect of this.detector.step(event, this.nowMs))
        this.effects.push({ ...effect, atMs: this.nowMs });
  }

  /** Lets time pass with punctual ticks. Heartbeats of `beating` come at each tick. */
  run(ms: number, ...beating: readonly string[]): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += tickMs;
      for (const run of beating) this.tell({ type: 'heartbeat', run });
      this.tell({ type: 'tick' });
    }
  }

  dead(): readonly string[] {
    return this.effects.flatMap((effect) =>
      effect.type === 'dead'
        ? [`${effect.run} ${effect.evidence} ${effect.hard ? 'hard' : 'soft'} ${effect.atMs}`]
        : [],
    );
  }

  told(): readonly string[] {
    return this.effects.flatMap(({ type, run }) => (type === 'dead' ? [] : [`${type} ${run}`]));
  }
}

const suspects = (run: string, by: string, yes = true): DetectorEvent => ({
  type: 'suspicion',
  run,
  by,
  suspects: yes,
});
const lease = (run: string, state: 'seen' | 'expired' | 'unknown'): DetectorEvent => ({
  type: 'lease',
  run,
  lease: state,
});

describe('a node that does not reach the database', () => {
  const { strandedMs, steadyMs } = DETECTOR_TIMES;
  const stranded = (run: string, reached = false): DetectorEvent => ({ type: 'database', run, reached });

  test('and says so for long enough is dead for those that do, however much it is heard', () => {
    const watch = new Watch('a');
    watch.tell({ type: 'own-database', reached: true });
    watch.run(steadyMs, 'a');
    watch.tell(stranded('a'));
    watch.run(strandedMs - tickMs, 'a');
    assert.deepEqual(watch.dead(), []);
    watch.run(tickMs, 'a');
    assert.deepEqual(watch.dead(), [`a database soft ${steadyMs + strandedMs}`]);
  });

  test('and finds it again in time lives', () => {
    const watch = new Watch('a');
    watch.tell({ type: 'own-database', reached: true });
    watch.run(steadyMs, 'a');
    watch.tell(stranded('a'));
    watch.run(strandedMs - tickMs, 'a');
    watch.tell(stranded('a', true));
    watch.run(60_000, 'a');
    assert.deepEqual(watch.dead(), []);
  });

  test('lives while the others do not reach it either, and has time when it is back', () => {
    const watch = new Watch('a');
    watch.tell({ type: 'own-database', reached: true });
    watch.run(steadyMs, 'a');
    watch.tell({ type: 'own-database', reached: false }, stranded('a'));
    watch.run(60_000, 'a');
    watch.tell({ type: 'own-database', reached: true });
    watch.run(steadyMs - tickMs, 'a');
    assert.deepEqual(watch.dead(), []);
    watch.tell(stranded('a', true));
    watch.run(60_000, 'a');
    assert.deepEqual(watch.dead(), []);
  });

  test('is judged by silence again once its link is closed', () => {
    const watch = new Watch('a');
    watch.tell({ type: 'own-database', reached: true });
    watch.run(steadyMs, 'a');
    watch.tell(stranded('a'), { type: 'link-closed', run: 'a' });
    watch.run(60_000);
    assert.deepEqual(watch.dead(), []);
  });
});

describe('hard evidence', () => {
  test('a closed link and a refused redial are a death at once, whatever else is known', () => {
    const watch = new Watch('a');
    watch.nowMs = 37;
    watch.tell(lease('a', 'seen'), { type: 'link-closed', run: 'a' });
    assert.deepEqual(watch.dead(), []);
    watch.tell({ type: 'refused', run: 'a' });
    assert.deepEqual(watch.dead(), ['a refused hard 37']);
  });

  test('a run that was never linked may not listen yet; one that came back is not refused any more', () => {
    const watch = new Watch();
    watch.tell({ type: 'known', run: 'a' }, { type: 'refused', run: 'a' });
    watch.tell({ type: 'link-up', run: 'a' }, { type: 'refused', run: 'a' });
    watch.run(5 * SILENT_MS, 'a');
    assert.deepEqual(watch.dead(), []);
  });

  test('a link that we gave up, then a refusal', () => {
    const watch = new Watch('a');
    watch.tell({ type: 'link-given-up', run: 'a' }, { type: 'refused', run: 'a' });
    assert.deepEqual(watch.dead(), ['a refused hard 0']);
  });

  test('is not held back by the limit, and is told again until the run is gone', () => {
    const watch = new Watch('a', 'b');
    watch.tell({ type: 'fenced', run: 'c' });
    watch.tell({ type: 'link-closed', run: 'a' }, { type: 'refused', run: 'a' });
    watch.run(repeatMs + tickMs, 'b');
    watch.tell({ type: 'gone', run: 'a' });
    watch.run(5 * repeatMs, 'b');
    assert.deepEqual(watch.dead(), ['a refused hard 0', `a refused hard ${repeatMs}`]);
  });
});

describe('leases', () => {
  test('an expired one of a peer that is heard proves nothing, nor does a closed link', () => {
    const watch = new Watch('a');
    watch.tell(lease('a', 'expired'), { type: 'link-closed', run: 'a' });
    watch.run(10 * SILENT_MS, 'a');
    assert.deepEqual(watch.dead(), []);
  });

  test('two nodes: silence is not enough, an expired lease with it is', () => {
    const watch = new Watch('a');
    watch.run(20 * SILENT_MS);
    watch.tell(lease('a', 'unknown'));
    watch.run(20 * SILENT_MS);
    assert.deepEqual(watch.dead(), []);
    assert.ok(watch.told().every((line) => line === 'suspect a') && watch.told().length > 1);
    watch.tell(lease('a', 'expired'));
    assert.deepEqual(watch.dead(), [`a lease soft ${watch.nowMs}`]);
  });

  test('a closed link makes it hard', () => {
    const watch = new Watch('a');
    watch.tell({ type: 'fenced', run: 'x' }, { type: 'link-closed', run: 'a' }, lease('a', 'expired'));
    watch.run(BOUND_MS);
    assert.deepEqual(watch.dead(), [`a lease hard ${SILENT_MS + tickMs}`]);
  });

  test('a run that died before it was ever heard', () => {
    const watch = new Watch();
    watch.tell({ type: 'known', run: 'a' });
    watch.run(10 * SILENT_MS);
    assert.deepEqual(watch.dead(), []);
    watch.tell(lease('a', 'expired'));
    assert.deepEqual(watch.dead(), [`a lease hard ${watch.nowMs}`]);
  });
});

describe('two observers', () => {
  test('three nodes: this one and another that it hears', () => {
    const watch = new Watch('a', 'b');
    watch.run(2 * SILENT_MS, 'b');
    assert.deepEqual(watch.dead(), []);
    watch.tell(suspects('a', 'b'));
    assert.deepEqual(watch.dead(), [`a observers soft ${watch.nowMs}`]);
  });

  test('not by the word of others alone, of the suspect, of strangers, or one that took it back', () => {
    const watch = new Watch('a', 'b');
    watch.tell(suspects('a', 'b'));
    watch.run(2 * SILENT_MS, 'a', 'b');
    watch.tell(suspects('a', 'b', false), suspects('a', 'a'), suspects('a', 'stranger'));
    watch.run(2 * SILENT_MS, 'b');
    assert.deepEqual(watch.dead(), []);
  });

  test('a node that pulses lives, and a node that only pulses is no witness: it could not take back its suspicion', () => {
    const watch = new Watch('a', 'b');
    const pulses = (...runs: readonly string[]): void => {
      watch.nowMs += tickMs;
      watch.tell(...runs.map((run): DetectorEvent => ({ type: 'pulse', run })), { type: 'tick' });
    };
    watch.tell(suspects('a', 'b'));
    // Node a is silent, and node b is in a long turn.
    for (let ms = 0; ms < 2 * BOUND_MS; ms += tickMs) pulses('b');
    assert.deepEqual([watch.dead(), watch.told()], [[], ['suspect a']]);
    watch.tell({ type: 'heartbeat', run: 'b' });
    pulses('b');
    assert.deepEqual(watch.dead(), [`a observers soft ${watch.nowMs}`]);
    // Node a pulses again.
    pulses('a', 'b');
    assert.equal(watch.told().at(-1), 'unsuspect a');
  });

  test('a node that hears no other node is no witness, whatever it was told before', () => {
    const watch = new Watch('a', 'b', 'c');
    watch.tell(suspects('a', 'b'), suspects('b', 'a'), suspects('c', 'a'));
    watch.run(20 * SILENT_MS);
    assert.deepEqual(watch.dead(), []);
  });

  test('suspicions that came over a link that has closed do not count', () => {
    const watch = new Watch('a', 'b');
    watch.tell(suspects('a', 'b'), { type: 'link-closed', run: 'b' }, { type: 'link-up', run: 'b' });
    watch.run(2 * SILENT_MS, 'b');
    assert.deepEqual(watch.dead(), []);
  });

  test('one fence in fenceGapMs, counted from the last fence of any node', () => {
    const watch = new Watch('a', 'b', 'c');
    watch.tell({ type: 'fenced', run: 'x' }, suspects('a', 'c'), suspects('b', 'c'));
    watch.run(4 * fenceGapMs, 'c');
    const times = watch.effects.flatMap((effect) => (effect.type === 'dead' ? [effect.atMs] : []));
    assert.deepEqual(times, [fenceGapMs, 2 * fenceGapMs, 3 * fenceGapMs, 4 * fenceGapMs]);
  });

  test('a heartbeat takes the suspicion back', () => {
    const watch = new Watch('a', 'b');
    watch.run(BOUND_MS, 'b');
    watch.tell({ type: 'heartbeat', run: 'a' }, suspects('a', 'b'));
    watch.run(tickMs, 'b');
    assert.deepEqual(watch.told(), ['suspect a', 'unsuspect a']);
    assert.deepEqual(watch.dead(), []);
  });
});

describe('own pauses', () => {
  test('heartbeats that were missed before a late timer must be missed again after it', () => {
    const watch = new Watch('a', 'b');
    watch.run(2 * SILENT_MS, 'b');
    watch.nowMs += 10_000;
    watch.tell(suspects('a', 'b'), { type: 'tick' }, { type: 'heartbeat', run: 'b' });
    const wokenMs = watch.nowMs;
    watch.run(2 * SILENT_MS, 'b');
    assert.deepEqual(watch.dead(), [`a observers soft ${wokenMs + SILENT_MS + tickMs}`]);
  });

  test('the same for one that was never heard', () => {
    const watch = new Watch();
    watch.tell({ type: 'known', run: 'a' });
    watch.run(2 * SILENT_MS);
    watch.nowMs += 10_000;
    watch.tell(lease('a', 'expired'), { type: 'tick' });
    const wokenMs = watch.nowMs;
    watch.run(2 * SILENT_MS);
    assert.deepEqual(watch.dead(), [`a lease hard ${wokenMs + SILENT_MS}`]);
  });
});

describe('properties', () => {
  const runs = ['a', 'b', 'c', 'd'];

  test('delays below the threshold alarm nobody, in whatever order, whatever others say', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: SILENT_MS - 1 }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(fc.tuple(gaps, gaps, gaps), fc.infiniteStream(fc.boolean()), (delays, tickFirst) => {
        const watch = new Watch('a', 'b', 'c');
        watch.tell(...runs.flatMap((run) => [suspects(run, 'a'), suspects(run, 'b'), lease(run, 'expired')]));
        const beats = delays.map((list) => {
          let atMs = 0;
          return list.map((gap) => (atMs += gap));
        });
        const endMs = Math.min(...beats.map((list) => list.at(-1) ?? 0));
        for (watch.nowMs = 1; watch.nowMs <= endMs; watch.nowMs++) {
          const events: DetectorEvent[] = beats.flatMap((list, i) =>
            list.includes(watch.nowMs) ? [{ type: 'heartbeat', run: runs[i] ?? '' }] : [],
          );
          if (watch.nowMs % tickMs === 0)
            if (tickFirst.next().value) events.unshift({ type: 'tick' });
            else events.push({ type: 'tick' });
          watch.tell(...events);
        }
        assert.deepEqual(watch.effects, []);
      }),
      { numRuns: fuzzRuns(100) },
    );
  });

  test('own pauses alarm nobody, though some ticks run before the sockets that waited are read', () => {
    const step = fc.record({
      workMs: fc.integer({ min: 0, max: 400 }),
      pauseMs: fc.integer({ min: 0, max: 20_000 }),
      /** The time after the pause until something is read. */
      blindMs: fc.integer({ min: 0, max: heartbeatMs }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 199 }),
        (steps, phaseMs) => {
          const watch = new Watch('a', 'b', 'c');
          watch.tell(
            ...runs.flatMap((run) => [suspects(run, 'a'), suspects(run, 'b'), lease(run, 'expired')]),
          );
          let readMs = 0;
          let tickedMs = 0;
          // One turn of an event loop: a due tick, then everything that has arrived.
          const turn = (reads = true) => {
            if (watch.nowMs - tickedMs >= tickMs) {
              tickedMs = watch.nowMs;
              watch.tell({ type: 'tick' });
            }
            if (!reads) return;
            const beats =
              Math.floor((watch.nowMs + phaseMs) / heartbeatMs) -
              Math.floor((readMs + phaseMs) / heartbeatMs);
            readMs = watch.nowMs;
            if (beats > 0)
              watch.tell(...['a', 'b', 'c'].map((run): DetectorEvent => ({ type: 'heartbeat', run })));
          };
          for (const { workMs, pauseMs, blindMs } of steps) {
            for (let i = 0; i < workMs; i += 10) {
              watch.nowMs += 10;
              turn();
            }
            watch.nowMs += pauseMs;
            watch.tell(...runs.flatMap((run) => [suspects(run, 'b'), lease(run, 'expired')]));
            turn(false);
            for (let i = 0; i + 10 <= blindMs; i += 10) {
              watch.nowMs += 10;
              turn(false);
            }
            turn();
          }
          assert.deepEqual(watch.effects, []);
        },
      ),
      { numRuns: fuzzRuns(500) },
    );
  });

  test('three nodes: both others find a stopped one within the bound, and suspect no other', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3000 }),
        fc.array(fc.nat(99), { minLength: 2, maxLength: 2 }),
        (stopMs, phases) => {
          const watches = [new Watch('b', 'c'), new Watch('a', 'c')];
          const names = ['a', 'b'];
          const told = [0, 0];
          for (let nowMs = 1; nowMs <= stopMs + BOUND_MS + heartbeatMs; nowMs++) {
            watches.forEach((watch, i) => {
              watch.nowMs = nowMs;
              if (nowMs % heartbeatMs === 0) {
                watch.tell({ type: 'heartbeat', run: names[1 - i] ?? '' });
                if (nowMs < stopMs) watch.tell({ type: 'heartbeat', run: 'c' });
              }
              if ((nowMs + (phases[i] ?? 0)) % tickMs === 0) watch.tell({ type: 'tick' });
            });
            watches.forEach((watch, i) => {
              for (const effect of watch.effects.slice(told[i]))
                if (effect.type !== 'dead')
                  watches[1 - i]?.tell(suspects(effect.run, names[i] ?? '', effect.type === 'suspect'));
              told[i] = watch.effects.length;
            });
          }
          for (const watch of watches) {
            assert.equal(watch.dead().length, 1);
            const [verdict] = watch.effects.filter(({ type }) => type === 'dead');
            assert.ok(verdict?.run === 'c' && verdict.atMs <= stopMs + BOUND_MS + heartbeatMs);
          }
        },
      ),
      { numRuns: fuzzRuns(200) },
    );
  });

  test('whatever happens, soft verdicts keep their distance, and only runs that are known are judged', () => {
    const events = runs.flatMap((run): DetectorEvent[] => [
      { type: 'own-database', reached: true },
      { type: 'known', run },
      { type: 'known', run },
      { type: 'gone', run },
      { type: 'fenced', run },
      { type: 'link-up', run },
      { type: 'link-closed', run },
      { type: 'link-given-up', run },
      { type: 'refused', run },
      lease(run, 'expired'),
      lease(run, 'unknown'),
      { type: 'database', run, reached: false },
      { type: 'database', run, reached: true },
      ...runs.flatMap((by) => [suspects(run, by), suspects(run, by), suspects(run, by, false)]),
    ]);
    // One event, then some ticks, punctual or not, with heartbeats of some nodes.
    const turn = fc.record({
      event: fc.constantFrom(...events),
      ticks: fc.integer({ min: 0, max: 12 }),
      everyMs: fc.constantFrom(tickMs, tickMs, 1.5 * tickMs, 2.5 * tickMs),
      beating: fc.subarray(runs),
    });
    let verdicts = 0;
    fc.assert(
      fc.property(fc.array(turn, { minLength: 100, maxLength: 100 }), (history) => {
        const detector = new Detector();
        const known = new Set<string>();
        let nowMs = 0;
        let softMs = Number.NEGATIVE_INFINITY;
        const tell = (event: DetectorEvent) => {
          if (event.type === 'known') known.add(event.run);
          if (event.type === 'gone' || event.type === 'fenced') known.delete(event.run);
          for (const effect of detector.step(event, nowMs)) {
            if (effect.type !== 'dead') continue;
            assert.ok(known.has(effect.run));
            if (effect.hard) continue;
            verdicts++;
            assert.ok(nowMs - softMs >= fenceGapMs);
            softMs = nowMs;
          }
          if (event.type === 'fenced') softMs = nowMs;
        };
        for (const { event, ticks, everyMs, beating } of history) {
          tell(event);
          for (let i = 0; i < ticks; i++) {
            nowMs += everyMs;
            for (const run of beating) tell({ type: 'heartbeat', run });
            tell({ type: 'tick' });
          }
        }
      }),
      { numRuns: fuzzRuns(100) },
    );
    assert.ok(verdicts > 0, 'the histories led to no soft verdict');
  });
});
