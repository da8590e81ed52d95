// The in-memory network: the contract, and the faults that a simulation asks for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Timers } from '../../../actors/clock.ts';
import type { PeerAddress, PeerDial, PeerLimits } from '../../../cluster/peer/network.ts';
import { seeded, VirtualTime } from '../../client/virtual-time.ts';
import { MemoryFabric } from '../../doubles/network-memory.ts';
import { Node, peerContract, type World } from './peer-contract.ts';

const LONGEST_MS = 60_000;

class MemoryWorld implements World {
  readonly time = new VirtualTime();
  readonly clock: Timers = {
    now: () => this.time.now,
    after: (ms, run) => {
      const timer = this.time.after(ms, run);
      return () => {
        timer.cancelled = true;
      };
    },
  };
  readonly fabric: MemoryFabric;
  readonly log: string[] = [];
  #ports = 1;

  constructor(seed = 1, maxDelayMs = 5) {
    this.fabric = new MemoryFabric({
      clock: this.clock,
      random: seeded(seed),
      delay: { minMs: 0.1, maxMs: maxDelayMs },
    });
  }

  network(run: string, address?: PeerAddress, limits?: Partial<PeerLimits>) {
    const node = run.replace('run-', 'node-');
    return this.fabric.network({
      identity: { cluster: 'test', node, run },
      address: address ?? { host: 'memory', port: this.#ports++ },
      log: (level, message, fields) =>
        this.log.push(`${this.time.now} ${node} ${level} ${message} ${JSON.stringify(fields)}`),
      ...(limits === undefined ? {} : { limits }),
    });
  }

  async until(condition: () => boolean): Promise<void> {
    const last = this.time.now + LONGEST_MS;
    for (; !condition(); this.time.advance(1)) {
      assert.ok(this.time.now < last, `not in ${LONGEST_MS} ms: ${condition}`);
      // Links ship their batches at the end of a real turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const watched = promise.finally(() => {
      done = true;
    });
    await this.until(() => done);
    return watched;
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}

peerContract('peers in memory', () => new MemoryWorld());

async function pair(world: MemoryWorld): Promise<[Node, Node, PeerDial, PeerDial]> {
  const a = await new Node(world.network('run-a')).listen();
  const b = await new Node(world.network('run-b')).listen();
  const dials = [a.dial(b), b.dial(a)] as const;
  await world.until(() => a.ups.length === 1 && b.ups.length === 1);
  return [a, b, ...dials];
}

test('a cut of one way: the other way goes on, and the held frames arrive after the cut heals', async () => {
  const world = new MemoryWorld();
  const [a, b] = await pair(world);
  world.fabric.cut('node-a', 'node-b');
  a.peer.send('held');
  b.peer.send('heard');
  await world.until(() => a.controls.length === 1);
  const beats = b.counters.length;
  world.time.advance(2000);
  assert.ok(b.counters.length <= beats + 1, 'no heartbeat gets through');
  assert.deepEqual(b.controls, []);
  world.fabric.heal('node-a', 'node-b');
  await world.until(() => b.controls.length === 1);
  assert.deepEqual([a.events, b.events], [['up'], ['up']]);
});

test('a lasting cut: each side that hears nothing gives up; it heals into a new peer', async () => {
  const world = new MemoryWorld();
  const [a, b, , dial] = await pair(world);
  world.fabric.cut('node-a', 'node-b');
  await world.until(() => b.events.includes('down silent'));
  assert.equal(await world.settle(dial.redialNow(500)), 'no-answer');
  world.fabric.healAll();
  await world.until(() => a.ups.length === 2 && b.ups.length === 2);
  assert.equal(a.peer.isUp && b.peer.isUp, true);
});

test('a paused node sends nothing and hears all when it resumes; its own pause does not count as silence', async () => {
  const world = new MemoryWorld();
  const [a, b, dial] = await pair(world);
  world.fabric.pause('node-b');
  a.peer.send('while you slept');
  assert.equal(await world.settle(dial.redialNow(500)), 'no-answer');
  world.time.advance(3000);
  assert.deepEqual(b.controls, []);
  world.fabric.resume('node-b');
  await world.until(() => b.controls.length === 1);
  assert.deepEqual([a.events, b.events], [['up'], ['up']]);
  world.fabric.pause('node-b');
  await world.until(() => a.events.includes('unreachable'));
  world.fabric.resume('node-b');
  await world.until(() => a.ups.length === 2 && b.ups.length === 2);
  assert.equal(a.events[1], 'down silent');
  assert.ok(!b.events.includes('down silent'), 'it does not blame its peer');
});

test('a node that did not run could not hear: its own late timer is no silence of the other', async () => {
  const world = new MemoryWorld();
  const a = await new Node(world.network('run-a', undefined, { silenceMs: 60_000 })).listen();
  const b = await new Node(world.network('run-b', undefined, { silenceMs: 1000 })).listen();
  a.dial(b);
  await world.until(() => a.ups.length === 1 && b.counters.length > 2);
  world.fabric.cut('node-a', 'node-b');
  world.fabric.pause('node-b');
  world.time.advance(10_000);
  world.fabric.resume('node-b');
  world.fabric.heal('node-a', 'node-b');
  const beats = b.counters.length;
  await world.until(() => b.counters.length > beats + 60);
  assert.deepEqual([a.events, b.events], [['up'], ['up']]);
});

test('a killed node refuses, and its connections are lost; one that is cut off first is silent', async () => {
  const world = new MemoryWorld();
  const [a, b] = await pair(world);
  world.fabric.kill('node-b');
  await world.until(() => a.events.includes('refused'));
  assert.equal(a.events[1], 'down lost');
  assert.deepEqual(b.events, ['up'], 'the dead hear nothing');

  const other = new MemoryWorld();
  const [c, d] = await pair(other);
  other.fabric.cut('node-b', 'node-a');
  other.fabric.cut('node-a', 'node-b');
  other.fabric.kill('node-b');
  await other.until(() => c.events.includes('unreachable'));
  assert.deepEqual([c.events.slice(0, 3), d.events], [['up', 'down silent', 'unreachable'], ['up']]);
});

test('a refused dialler is told at once, both ways, also by probes; open connections stand until they break', async () => {
  const world = new MemoryWorld();
  const [a, b, dial, back] = await pair(world);
  world.fabric.refuse('node-a', 'node-b');
  a.peer.send('still');
  await world.until(() => b.controls.length === 1);
  assert.equal(await world.settle(dial.redialNow(500)), 'refused');
  assert.equal(await world.settle(back.redialNow(500)), 'refused');
  world.fabric.drop('node-a', 'node-b');
  await world.until(() => a.events.includes('refused'));
  world.fabric.admit('node-a', 'node-b');
  await world.until(() => a.ups.length === 2 && b.ups.length === 2);
});

test('a dropped connection loses a tail, never something in between', async () => {
  const tails = new Set<number>();
  for (let seed = 1; seed <= 30; seed++) {
    const world = new MemoryWorld(seed, 50);
    const [a, b] = await pair(world);
    for (let i = 0; i < 20; i++) a.peer.send(i);
    world.fabric.drop('node-a', 'node-b');
    await world.until(() => a.ups.length === 2 && b.ups.length === 2);
    assert.deepEqual(
      b.controls,
      Array.from({ length: b.controls.length }, (_, i) => i),
    );
    // The connection is superseded if the new one is quicker than the news of the end.
    for (const { events } of [a, b]) assert.match(events[1] ?? '', /^down (lost|superseded)$/);
    tails.add(b.controls.length);
  }
  assert.ok(tails.size > 3, `${[...tails]}`);
});

test('connections overtake each other; one never reorders', async () => {
  const world = new MemoryWorld(3, 400);
  const c = await new Node(world.network('run-c')).listen();
  const order: unknown[] = [];
  const senders: Node[] = [];
  for (const name of ['run-a', 'run-b']) {
    const node = await new Node(world.network(name)).listen();
    node.dial(c);
    senders.push(node);
  }
  await world.until(() => senders.every(({ ups }) => ups.length === 1) && c.ups.length === 2);
  for (const peer of c.ups) peer.onControl((message) => order.push(message));
  for (let i = 0; i < 10; i++) for (const [n, node] of senders.entries()) node.peer.send([n, i]);
  await world.until(() => order.length === 20);
  const sent = Array.from({ length: 20 }, (_, i) => [i % 2, Math.floor(i / 2)]);
  assert.notDeepEqual(order, sent);
  for (const n of [0, 1])
    assert.deepEqual(
      order.filter((message) => Array.isArray(message) && message[0] === n),
      sent.filter(([sender]) => sender === n),
    );
});

test('the same seed gives the same trace', async () => {
  const trace = async (seed: number): Promise<readonly string[]> => {
    const world = new MemoryWorld(seed);
    const [a, b] = await pair(world);
    for (let i = 0; i < 50; i++) a.peer.send(i);
    world.fabric.drop('node-a', 'node-b');
    await world.until(() => b.ups.length === 2);
    world.fabric.kill('node-b');
    world.time.advance(5000);
    return [...world.log, ...a.events, `${b.controls.length}`];
  };
  assert.deepEqual(await trace(7), await trace(7));
  assert.notDeepEqual(await trace(7), await trace(8));
});
