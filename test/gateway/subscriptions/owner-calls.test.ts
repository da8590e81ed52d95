// Calls to owners that come and go: each call has one answer, and is sent again to the next owner until it has one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AGAIN, type OwnerAnswer, refusedCall } from '../../../actors/link/calls.ts';
import { CALL, jsonOp, type ToOwner } from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import type { OwnerLink } from '../../../cluster/shards/owner-link.ts';
import { Router } from '../../../cluster/shards/router.ts';
import { type Answered, OwnerCalls } from '../../../src/gateway/calls/owner-calls.ts';
import { OwnerSnapshots } from '../../../src/gateway/subscriptions/owner-snapshots.ts';

const DOC = 'acme/plan';
const READ = { type: 'read', unless: [] } as const;
const DONE: OwnerAnswer = { type: 'committed', history: 'h', version: 7 };

class Owner implements OwnerLink {
  readonly heard: ToOwner[] = [];
  isBehind = false;

  offer(message: ToOwner): boolean {
    if (!this.isBehind) this.heard.push(message);
    return !this.isBehind;
  }

  send(message: ToOwner): void {
    this.heard.push(message);
  }

  /** The numbers of the calls that it was sent, the latest last. */
  get numbers(): number[] {
    return this.heard.flatMap((message) => (message[0] === CALL ? [message[1]] : []));
  }

  get last(): number {
    return this.numbers.at(-1) ?? 0;
  }
}

function start({ most = 10, waitMs = 1_000 } = {}) {
  const router = new Router();
  const snapshots = new OwnerSnapshots();
  const timers = new Set<{ at: number; run: () => void }>();
  let now = 0;
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: now + ms, run };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const calls = new OwnerCalls({ router, after, random: () => 0.5, waitMs, most });
  const tick = (ms: number): void => {
    const end = now + ms;
    for (;;) {
      const [next] = [...timers].sort((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      timers.delete(next);
      now = next.at;
      next.run();
    }
    now = end;
  };
  const place = (owner: Owner | undefined): void => {
    router.setOwner([shardOf(DOC)], owner);
    calls.changed();
  };
  const lose = (owner: Owner): void => {
    router.setOwner([shardOf(DOC)], undefined);
    calls.lost(owner);
  };
  const answer = (owner: Owner, number: number, told: OwnerAnswer, content: Uint8Array | null = null): void =>
    calls.answered(owner, number, told, content, snapshots);
  return { calls, snapshots, tick, place, lose, answer, timers };
}

/** The answer of a call, in words. */
const said = async (asked: Promise<Answered>): Promise<string> => {
  const { answer } = await asked;
  return answer.type === 'refused' ? `${answer.code}: ${answer.message}` : answer.type;
};

test('DOC-4 a call is sent again to the next owner, as it was, until one answers', async () => {
  const { calls, place, lose, answer, timers } = start();
  const [a, b] = [new Owner(), new Owner()];
  place(a);
  const write = { type: 'write', client: 'client-1', user: 'ada', seq: 1, base: -1, ifTag: null } as const;
  const asked = calls.ask(DOC, write, jsonOp('[]'));
  lose(a);
  assert.equal(b.numbers.length, 0);
  place(b);
  assert.deepEqual(b.heard[0]?.slice(2), a.heard[0]?.slice(2));
  answer(a, a.last, { type: 'committed', history: 'h', version: 1 });
  answer(b, b.last, DONE);
  assert.deepEqual((await asked).answer, DONE);
  assert.equal(calls.size, 0);
  assert.equal(timers.size, 0, 'no timer is left');
});

test('DOC-4 a call waits for an owner, and is unavailable when none has come in time', async () => {
  const { calls, tick, place, answer } = start();
  const [early, late] = [calls.ask(DOC, READ), calls.ask(DOC, READ)];
  const owner = new Owner();
  place(owner);
  answer(owner, owner.numbers[0] ?? 0, { type: 'unchanged', history: 'h', version: 1 });
  assert.equal(await said(early), 'unchanged');
  place(undefined);
  tick(1_000);
  assert.match(await said(late), /^unavailable: the document has no owner/);
});

test('DOC-4 an owner that does not answer leaves the outcome open', async () => {
  const { calls, tick, place } = start();
  const owner = new Owner();
  place(owner);
  const asked = calls.ask(DOC, READ);
  tick(1_000);
  assert.match(await said(asked), /^unavailable: .*not known/);
});

test('DOC-4 calls are refused when the node stops, those that wait and those that come', async () => {
  const { calls, place, lose, timers } = start();
  const owner = new Owner();
  place(owner);
  const sent = calls.ask(DOC, READ);
  calls.end();
  assert.match(await said(sent), /^unavailable: .*not known/);
  lose(owner);
  place(owner);
  assert.equal(await said(calls.ask(DOC, READ)), 'unavailable: the node is stopping');
  assert.equal(owner.numbers.length, 1);
  assert.equal(calls.size, 0);
  assert.equal(timers.size, 0, 'no timer is left');
});

test('DOC-4 a call that has no owner when the node stops was not done', async () => {
  const { calls } = start();
  const unsent = calls.ask(DOC, READ);
  calls.end();
  assert.equal(await said(unsent), 'unavailable: the node is stopping');
});

test('DOC-4 an owner that sends the call back, or is unable for now, is asked again with pauses', async () => {
  const { calls, tick, place, answer } = start();
  const owner = new Owner();
  place(owner);
  const asked = calls.ask(DOC, READ);
  answer(owner, owner.last, AGAIN);
  assert.equal(owner.numbers.length, 1);
  tick(20);
  assert.equal(owner.numbers.length, 2);
  answer(owner, owner.last, refusedCall('unavailable', 'the store is out of reach'));
  tick(40);
  assert.equal(owner.numbers.length, 3);
  answer(owner, owner.last, DONE);
  assert.equal(await said(asked), 'committed');

  const inVain = calls.ask(DOC, READ);
  for (let n = 0; n < 100; n++) {
    answer(owner, owner.last, refusedCall('unavailable', 'the store is out of reach'));
    tick(10);
  }
  assert.equal(await said(inVain), 'unavailable: the store is out of reach');
  assert.ok(owner.numbers.length < 12, 'the pauses grow');
});

test('DOC-4 a document that is out of service is refused at once, with the time of its return', async () => {
  const { calls, place, answer } = start();
  const owner = new Owner();
  place(owner);
  const asked = calls.ask(DOC, READ);
  answer(owner, owner.last, refusedCall('unavailable', 'out', 60_000));
  const { answer: told } = await asked;
  assert.equal(told.type === 'refused' && told.retryAfterMs, 60_000);
});

test('HTTP-6 calls are bounded in number, and an owner that is behind is not queued for', async () => {
  const { calls, place } = start({ most: 2 });
  const waiting = [calls.ask(DOC, READ), calls.ask(DOC, READ)];
  assert.match(await said(calls.ask(DOC, READ)), /^overloaded/);
  assert.equal(calls.size, waiting.length);
  const other = start();
  const owner = new Owner();
  owner.isBehind = true;
  other.place(owner);
  assert.match(await said(other.calls.ask(DOC, READ)), /^overloaded/);
  place(owner);
});

test('DOC-2 a large document comes in the pieces that its owner has sent ahead', async () => {
  const { calls, place, answer, snapshots } = start();
  const owner = new Owner();
  place(owner);
  const asked = calls.ask(DOC, READ);
  snapshots.add(owner, 3, Buffer.from('{"a":'));
  snapshots.add(owner, 3, Buffer.from('1}'));
  answer(owner, owner.last, { type: 'content', kind: 'json', history: 'h', version: 1, shared: 3 });
  assert.equal(Buffer.concat((await asked).content).toString(), '{"a":1}');
});
