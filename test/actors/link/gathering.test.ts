// How edits are gathered on their way to their worker: at once at a low rate, few batches at a high one, and no
// wait for messages of another kind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unpack } from 'msgpackr';
import type { Clock } from '../../../actors/clock.ts';
import { Gathering } from '../../../actors/link/gathering.ts';
import { Link } from '../../../actors/link/link.ts';
import { jsonOp, PULL, SUBMIT, type ToGateway, type ToOwner } from '../../../actors/link/link-messages.ts';

const OPTIONS = {
  windowMessages: 10_000,
  windowBytes: 1_000_000,
  queueMessages: 10_000,
  queueBytes: 1_000_000,
};

interface Sent {
  readonly at: number;
  readonly tags: readonly number[];
}

/** A link with a gathering of `perSecond` commits, whose clock is moved by hand. */
class Bench {
  readonly batches: Sent[] = [];
  #now = 0;
  #soon: (() => void)[] = [];
  #timers: { readonly at: number; readonly run: () => void }[] = [];
  readonly #link: Link<ToOwner, ToGateway>;

  constructor(perSecond: number) {
    const clock: Clock = {
      now: () => this.#now,
      soon: (run) => this.#soon.push(run),
      every: () => () => undefined,
      after: (ms, run) => {
        const timer = { at: this.#now + ms, run };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((each) => each !== timer);
        };
      },
    };
    const post = (batch: Uint8Array): void => {
      const messages = unpack(batch)[3] as ToOwner[];
      this.batches.push({ at: this.#now, tags: messages.map(([tag]) => tag) });
    };
    this.#link = new Link<ToOwner, ToGateway>(
      { post, onBatch: () => undefined, close: () => undefined },
      OPTIONS,
      () => undefined,
      clock,
    );
    this.#link.gatherer = new Gathering(perSecond, clock);
  }

  /** Moves the clock. Turns of the event loop take no time. */
  to(ms: number): void {
    for (;;) {
      for (const run of this.#soon.splice(0)) run();
      const [next] = this.#timers.filter(({ at }) => at <= ms).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = ms;
  }

  edit(ms: number): void {
    this.to(ms);
    this.#link.offer([SUBMIT, 1, 1, 1, 0, jsonOp('[]')]);
  }

  pull(ms: number): void {
    this.to(ms);
    this.#link.send([PULL, 1, 1]);
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('at a low rate each edit is sent at once', () => {
  const bench = new Bench(300);
  for (const index of range(100)) bench.edit(10 * index);
  bench.to(2_000);
  assert.deepEqual(
    bench.batches.map(({ at }) => at),
    range(100).map((index) => 10 * index),
  );
});

test('at a high rate edits share batches, fewer than the commits of the budget, and none waits longer than 5 ms', () => {
  const bench = new Bench(300);
  for (const index of range(5_000)) bench.edit(index);
  bench.to(6_000);
  const edits = bench.batches.flatMap(({ at, tags }) => tags.map(() => at));
  assert.equal(edits.length, 5_000);
  const waits = edits.map((at, index) => at - index);
  assert.ok(Math.max(...waits) <= 5, `${Math.max(...waits)} ms`);
  // 0.8 of 300 for 5 s, and those that may come at once in the beginning.
  assert.ok(bench.batches.length <= 0.8 * 300 * 5 + 13, `${bench.batches.length} batches`);
});

test('at a very high rate a batch holds some ms of edits, whatever the budget is', () => {
  const bench = new Bench(Number.POSITIVE_INFINITY);
  for (const index of range(6_000)) bench.edit(index / 30);
  bench.to(300);
  const late = bench.batches.filter(({ at }) => at >= 100 && at < 200);
  assert.ok(late.length <= 13, `${late.length} batches in 100 ms`);
  assert.ok(late.length >= 11, `${late.length} batches in 100 ms`);
  assert.equal(
    bench.batches.reduce((sum, { tags }) => sum + tags.length, 0),
    6_000,
  );
});

test('a message of another kind does not wait, and takes along the edits before it', () => {
  const bench = new Bench(20);
  // The budget has one commit, which the first edit takes.
  bench.edit(0);
  bench.edit(1);
  bench.edit(2);
  bench.pull(3);
  bench.to(3);
  assert.deepEqual(bench.batches, [
    { at: 0, tags: [SUBMIT] },
    { at: 3, tags: [SUBMIT, SUBMIT, PULL] },
  ]);
  bench.to(100);
  assert.equal(bench.batches.length, 2, 'nothing is left of the wait that has ended');
});
