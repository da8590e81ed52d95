// The turns of a worker: which document's turn is next, and how much work it does at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SLICE_MS, TurnMark, Turns } from '../../actors/turns/turns.ts';

interface Piece {
  readonly name: string;
  readonly ms: number;
}

class Doc {
  readonly turn = new TurnMark();
  readonly name: string;
  readonly pieces: Piece[] = [];
  /** True if it is known in advance that its pieces take long. */
  isCostlyNext = false;

  constructor(name: string) {
    this.name = name;
  }
}

/** Turns at a thread whose time passes only by the work done in it. */
class Thread {
  now = 0;
  readonly done: string[] = [];
  readonly spent = new Map<string, number>();
  pauses = 0;
  /** Rests that have begun and not ended. */
  readonly rests: { readonly ms: number; readonly until: number; readonly run: () => void }[] = [];
  #soon: (() => void)[] = [];
  readonly turns = new Turns<Doc>({
    clock: {
      soon: (run) => void this.#soon.push(run),
      after: (ms, run) => {
        this.rests.push({ ms, until: this.now + ms, run });
        return () => undefined;
      },
    },
    spentMs: () => this.now,
    take: (doc) => {
      this.#work(doc, doc.pieces.shift());
      return doc.pieces.length > 0;
    },
    onPause: () => this.pauses++,
  });

  /**
   * Takes work as a host takes messages: at once while no work waits and the slice lasts, otherwise in the
   * document's turn.
   */
  give(doc: Doc, ms: number, times = 1): void {
    for (let i = 0; i < times; i++) {
      const piece = { name: doc.name, ms };
      if (this.turns.isBusy || doc.pieces.length > 0) {
        doc.pieces.push(piece);
        this.turns.wait(doc);
        continue;
      }
      this.turns.begin();
      this.#work(doc, piece);
      this.turns.charge(doc);
    }
  }

  /** One turn of the event loop. */
  loop(): void {
    const soon = this.#soon;
    this.#soon = [];
    for (const run of soon) run();
    // A rest ends when its time has passed, or when nothing else happens.
    const isOver = ({ until }: { readonly until: number }): boolean => soon.length === 0 || until <= this.now;
    const over = this.rests.filter(isOver);
    const left = this.rests.filter((rest) => !isOver(rest));
    this.rests.splice(0, this.rests.length, ...left);
    for (const { run } of over) run();
  }

  get isIdle(): boolean {
    return this.#soon.length === 0 && this.rests.length === 0;
  }

  #work(doc: Doc, piece: Piece | undefined): void {
    if (piece === undefined) return;
    this.now += piece.ms;
    this.done.push(doc.name);
    this.spent.set(doc.name, (this.spent.get(doc.name) ?? 0) + piece.ms);
  }
}

test('work is done at once while the slice lasts, and what is beyond it comes after the event loop', () => {
  const thread = new Thread();
  const doc = new Doc('a');
  thread.give(doc, SLICE_MS / 4, 6);
  assert.equal(thread.done.length, 4);
  for (let i = 0; i < 4; i++) thread.loop();
  assert.equal(thread.done.length, 6);
  assert.ok(thread.isIdle);
});

test('a document whose patches are costly lets another go first between any two of them', () => {
  const thread = new Thread();
  const [heavy, light] = [new Doc('heavy'), new Doc('light')];
  thread.give(heavy, 50, 24);
  for (let i = 0; i < 10; i++) {
    const before = thread.spent.get('heavy') ?? 0;
    thread.give(light, 0.1);
    while (light.pieces.length > 0) thread.loop();
    assert.ok(
      (thread.spent.get('heavy') ?? 0) - before <= 50,
      'one patch of the other at most came before it',
    );
    thread.loop();
  }
});

test('documents that always want more get equal time, not equal numbers of turns', () => {
  const thread = new Thread();
  const docs = [new Doc('a'), new Doc('b'), new Doc('c')];
  for (const [at, doc] of docs.entries()) thread.give(doc, [40, 10, 4][at] ?? 0, 4000);
  while (thread.now < 6000) thread.loop();
  for (const doc of docs) {
    const share = (thread.spent.get(doc.name) ?? 0) / thread.now;
    assert.ok(Math.abs(share - 1 / 3) < 0.02, `${doc.name} had ${share} of the time`);
  }
});

test('time that nobody else wanted is not held against a document', () => {
  const thread = new Thread();
  const [old, young] = [new Doc('old'), new Doc('young')];
  thread.give(old, 5, 2000);
  while (old.pieces.length > 0) thread.loop();
  thread.done.length = 0;
  thread.give(old, 5, 100);
  thread.give(young, 5, 100);
  while (thread.done.length < 40) thread.loop();
  const turns = thread.done.filter((name) => name === 'old').length;
  assert.ok(turns >= 18, `it had ${turns} of 40 turns`);
});

test('many documents with costly patches do not keep one with cheap ones waiting for them all', () => {
  const thread = new Thread();
  const heavy = Array.from({ length: 20 }, (_, at) => new Doc(`heavy-${at}`));
  for (const doc of heavy) thread.give(doc, 50, 100);
  while (thread.now < 3000) thread.loop();
  const light = new Doc('light');
  const before = thread.now;
  thread.give(light, 0.1);
  while (light.pieces.length > 0) thread.loop();
  assert.ok(thread.now - before <= 51, `it waited ${thread.now - before} ms`);
});

test('a document with cheap patches waits for the turn under way, and not for a round of the others', () => {
  const thread = new Thread();
  const light = new Doc('light');
  for (let i = 0; i < 10; i++) thread.give(light, 0.1);
  while (!thread.isIdle) thread.loop();
  for (let at = 0; at < 20; at++) thread.give(new Doc(`heavy-${at}`), 50, 3);
  thread.loop();
  thread.loop();
  const before = thread.now;
  thread.give(light, 0.1);
  while (light.pieces.length > 0) thread.loop();
  assert.ok(thread.now - before <= 51, `it waited ${thread.now - before} ms`);
});

test('nothing waits for ever behind documents that come again and again', () => {
  const thread = new Thread();
  const [patient, ...others] = Array.from({ length: 5 }, (_, at) => new Doc(`d${at}`));
  assert.ok(patient !== undefined);
  thread.give(patient, 50, 2);
  for (let i = 0; i < 200 && patient.pieces.length > 0; i++) {
    for (const doc of others) thread.give(doc, 3);
    thread.loop();
  }
  assert.equal(patient.pieces.length, 0);
});

test('after disposal nobody has a turn', () => {
  const thread = new Thread();
  const doc = new Doc('a');
  thread.give(doc, 50, 3);
  thread.turns.dispose();
  while (!thread.isIdle) thread.loop();
  assert.deepEqual(thread.done, ['a']);
});

test('a turn in which memory was collected does not put a document behind those with long turns', () => {
  const thread = new Thread();
  const light = new Doc('light');
  for (let i = 0; i < 10; i++) thread.give(light, 0.1);
  while (!thread.isIdle) thread.loop();
  const heavy = Array.from({ length: 20 }, (_, at) => new Doc(`heavy-${at}`));
  for (const doc of heavy) thread.give(doc, 50, 100);
  while (thread.now < 3000) thread.loop();
  thread.give(light, 200);
  while (light.pieces.length > 0) thread.loop();
  for (let i = 0; i < 5; i++) {
    const before = thread.now;
    thread.give(light, 0.1);
    while (light.pieces.length > 0) thread.loop();
    assert.ok(thread.now - before <= 51, `it waited ${thread.now - before} ms`);
  }
});

test('long turns leave room while a document with short ones is about, and take all time where none is', () => {
  const thread = new Thread();
  const [heavy, light] = [new Doc('heavy'), new Doc('light')];
  thread.give(heavy, 50, 100);
  thread.give(light, 0.1);
  while (light.pieces.length > 0) thread.loop();
  let rested = 0;
  for (let i = 0; i < 30 && heavy.pieces.length > 80; i++) {
    for (const { ms } of thread.rests) rested += ms;
    thread.loop();
  }
  assert.ok(rested >= 100, `the thread rested for ${rested} ms`);
  if (thread.rests.length > 0) thread.loop();
  const before = thread.done.filter((name) => name === 'light').length;
  while (thread.rests.length === 0 && heavy.pieces.length > 40) thread.loop();
  thread.give(light, 0.1);
  thread.loop();
  thread.loop();
  assert.equal(thread.done.filter((name) => name === 'light').length, before + 1, 'it is served in the rest');
  while (thread.now < 3500) thread.loop();
  for (let i = 0; i < 20; i++) {
    thread.loop();
    assert.equal(thread.rests.length, 0, 'nobody else is about');
  }
});

test('documents with short turns that always want more leave a quarter of the time to long ones', () => {
  const thread = new Thread();
  const [heavy, one, two] = [new Doc('heavy'), new Doc('one'), new Doc('two')];
  thread.give(heavy, 50, 1000);
  for (const doc of [one, two]) thread.give(doc, 0.5, 20_000);
  while (thread.now < 8000) thread.loop();
  const share = (doc: Doc): number => (thread.spent.get(doc.name) ?? 0) / thread.now;
  assert.ok(share(heavy) > 0.2 && share(heavy) < 0.3, `long turns had ${share(heavy)}`);
  assert.ok(Math.abs(share(one) - share(two)) < 0.02);
});

test('a document with short turns goes before those with long turns even if it has used more time than each of them', () => {
  const thread = new Thread();
  const light = new Doc('light');
  const heavy = Array.from({ length: 20 }, (_, at) => new Doc(`heavy-${at}`));
  for (let i = 0; i < 10; i++) thread.give(light, 0.3);
  while (!thread.isIdle) thread.loop();
  for (const doc of heavy) thread.give(doc, 50, 200);
  let worst = 0;
  while (thread.now < 5000) {
    const before = thread.now;
    for (let i = 0; i < 10; i++) thread.give(light, 0.3);
    while (light.pieces.length > 0) thread.loop();
    worst = Math.max(worst, thread.now - before);
    for (let i = 0; i < 3; i++) thread.loop();
  }
  assert.ok(worst <= 50 + 10, `it waited ${worst} ms`);
});

test('work that is known to take long comes behind other work, however short the turns before were', () => {
  const thread = new Thread();
  const light = new Doc('light');
  const mixed = Array.from({ length: 20 }, (_, at) => new Doc(`mixed-${at}`));
  for (const doc of [light, ...mixed])
    for (let i = 0; i < 10; i++) {
      thread.give(doc, 0.1);
      while (!thread.isIdle) thread.loop();
    }
  for (const doc of mixed) doc.isCostlyNext = true;
  for (const doc of mixed) thread.give(doc, 80);
  const before = thread.now;
  thread.give(light, 0.1);
  while (light.pieces.length > 0) thread.loop();
  assert.ok(thread.now - before <= 0.2, `it waited ${thread.now - before} ms`);
});
