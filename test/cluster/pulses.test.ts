// Pulses: whom they reach, what ends them, and that a main thread which takes its time does not.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { systemClock } from '../../cluster/peer/clock.ts';
import { HEARTBEAT } from '../../cluster/peer/frames.ts';
import { PEER_LIMITS, type PeerAddress, type PeerTarget } from '../../cluster/peer/network.ts';
import { createTcpNetwork } from '../../cluster/peer/network-tcp.ts';
import { PulseSender, TURN_MS } from '../../cluster/peer/pulse-sender.ts';
import type { PeerCredentials } from '../../cluster/peer/tcp-context.ts';
import { TcpDialler } from '../../cluster/peer/tcp-dialler.ts';
import type { Wire, WireHandlers } from '../../cluster/peer/wire.ts';
import { Scheduler } from '../sim/scheduler.ts';
import { createAuthority } from './peer-certificates.ts';

const HOST = '127.0.0.1';
const SECRET = randomBytes(32).toString('hex');
const BEAT_MS = PEER_LIMITS.heartbeatMs;
const A: PeerTarget = { run: 'run-a', address: { host: HOST, port: 1 } };
const B: PeerTarget = { run: 'run-b', address: { host: HOST, port: 2 } };

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  closers = [];
});

const authority = createAuthority('the cluster');
for (const [kind, credentials] of [
  ['a secret', { secret: SECRET }],
  ['certificates', { tls: authority.issue('node') }],
] as const) {
  test(`a peer hears pulses of either run while it is up, with ${kind}`, async () => {
    const a = await node('run-a', credentials);
    const b = await node('run-b', credentials);
    a.network.dial(b.target);
    b.network.dial(a.target);
    await until(() => a.pulses.length > 2 && b.pulses.length > 2);
    assert.deepEqual([a.targets, b.targets], [[b.target], [a.target]]);
    assert.deepEqual([new Set(a.pulses), new Set(b.pulses)], [new Set(['run-b']), new Set(['run-a'])]);
    await b.network.close();
    await until(() => a.targets.length === 0);
  });
}

test('who does not know the secret is not heard', async () => {
  const a = await node('run-a', { secret: SECRET });
  const b = await node('run-b', { secret: SECRET });
  a.network.dial(b.target);
  b.network.dial(a.target);
  await until(() => b.pulses.length > 0);
  a.stop();
  b.pulses.length = 0;
  const dialler = diallerOf('run-a', { secret: SECRET.toUpperCase() });
  const wire = await new Promise((resolve) => dialler.dialForPulses(b.target, 2_000, resolve));
  assert.equal(wire, undefined);
  await until(() => b.log.some((line) => line.includes('authentication')));
  assert.equal(b.pulses.length, 0);
});

test('a newer connection takes the place of an older one, and one that is silent is let go', async () => {
  const b = await node('run-b', { secret: SECRET }, { silenceMs: 300 });
  const dialler = diallerOf('run-a', { secret: SECRET });
  const ended: string[] = [];
  for (const name of ['first', 'second']) {
    const wire = await new Promise<Wire | undefined>((resolve) =>
      dialler.dialForPulses(b.target, 2_000, resolve),
    );
    assert.ok(wire !== undefined);
    wire.start({ frame: () => assert.fail('nothing is said on it'), end: () => ended.push(name) });
    if (name === 'second') await until(() => ended.length === 1);
  }
  await until(() => ended.length === 2);
  assert.deepEqual(ended, ['first', 'second']);
});

test('pulses are sent while the main thread turns, to whom they are to go', async () => {
  const h = harness();
  h.sender.setTargets([A, B]);
  await h.pass(1_000);
  assert.deepEqual(h.sent(), { 'run-a': 6, 'run-b': 6 });
  h.turns = false;
  await h.pass(TURN_MS);
  assert.deepEqual(h.sent(), { 'run-a': 10, 'run-b': 10 });
  await h.pass(5_000);
  assert.deepEqual(h.sent(), {});
  h.turns = true;
  h.sender.setTargets([B]);
  await h.pass(1_000);
  assert.deepEqual(h.sent(), { 'run-b': 5 });
  h.sender.stop();
  await h.pass(1_000);
  assert.deepEqual(h.sent(), {});
  assert.equal(h.open(), 0);
});

test('where a peer cannot be reached, or the connection is lost, it is dialled again', async () => {
  const h = harness();
  h.reachable = false;
  h.sender.setTargets([A]);
  await h.pass(10_000);
  assert.deepEqual(h.sent(), {});
  assert.ok(h.dials > 5 && h.dials < 40, `${h.dials} dials`);
  h.reachable = true;
  await h.pass(PEER_LIMITS.backoffMaxMs + 1_000);
  assert.ok((h.sent()['run-a'] ?? 0) >= 5);
  h.lose();
  await h.pass(PEER_LIMITS.backoffMaxMs + 1_000);
  assert.ok((h.sent()['run-a'] ?? 0) >= 5);
  h.reachable = false;
  h.lose();
  h.sender.setTargets([]);
  const { dials } = h;
  await h.pass(10_000);
  assert.equal(h.dials, dials);
});

test('for a peer that does not read no more pulses wait than a few', async () => {
  const h = harness();
  h.reads = false;
  h.sender.setTargets([A]);
  await h.pass(3_600_000);
  const sent = h.sent()['run-a'] ?? 0;
  assert.ok(sent > 50 && sent < 1_000, `${sent} wait`);
});

/** A node that listens, and a sender for it as its lease thread would have one. */
async function node(run: string, credentials: PeerCredentials, limits?: { silenceMs: number }) {
  const pulses: string[] = [];
  const log: string[] = [];
  const sender = new PulseSender({
    dial: (target, done) => dialler.dialForPulses(target, 2_000, done),
    beats: () => performance.now(),
    clock: systemClock,
    random: Math.random,
    limits: { ...PEER_LIMITS, heartbeatMs: 20, backoffMaxMs: 20 },
  });
  const dialler = diallerOf(run, credentials);
  const state = {
    targets: [] as readonly PeerTarget[],
    setTargets: (targets: readonly PeerTarget[]): void => {
      state.targets = targets;
      sender.setTargets(targets);
    },
  };
  const network = createTcpNetwork({
    identity: { cluster: 'test', node: run, run },
    host: HOST,
    port: 0,
    credentials,
    clock: systemClock,
    random: Math.random,
    log: (_, message, fields) => log.push(`${message} ${JSON.stringify(fields)}`),
    onPulseTargets: state.setTargets,
    ...(limits === undefined ? {} : { limits }),
  });
  network.onEvent((event) => {
    if (event.type === 'up') event.peer.onPulse(() => pulses.push(event.peer.run));
  });
  const address: PeerAddress = await network.listen();
  closers.push(
    () => network.close(),
    () => sender.stop(),
  );
  return Object.assign(state, { network, target: { run, address }, pulses, log, stop: () => sender.stop() });
}

function diallerOf(run: string, credentials: PeerCredentials): TcpDialler {
  const dialler = new TcpDialler({
    identity: { cluster: 'test', node: run, run },
    credentials,
    clock: systemClock,
    limits: PEER_LIMITS,
    randomBytes,
  });
  closers.push(() => dialler.close());
  return dialler;
}

/** A sender without sockets, in virtual time. */
function harness() {
  const clock = new Scheduler();
  let sent: string[] = [];
  const wires = new Set<WireHandlers | undefined>();
  let beats = 0;
  const h = {
    turns: true,
    reachable: true,
    reads: true,
    dials: 0,
    open: () => wires.size,
    pass: (ms: number) => {
      const end = clock.now() + ms;
      return clock.run({ until: () => false, untilMs: end });
    },
    sent: (): Record<string, number> => {
      const counts: Record<string, number> = {};
      for (const run of sent) counts[run] = (counts[run] ?? 0) + 1;
      sent = [];
      return counts;
    },
    lose: () => {
      for (const handlers of [...wires]) handlers?.end('lost', 'a test');
    },
  };
  const wire = (run: string): Wire => {
    let handlers: WireHandlers | undefined;
    let waiting = 0;
    const end = (): void => {
      wires.delete(handlers);
    };
    return {
      get bufferedBytes() {
        return waiting;
      },
      start: (given) => {
        handlers = given;
        wires.add(given);
      },
      hold: () => {},
      send: (type) => {
        assert.equal(type, HEARTBEAT);
        if (!h.reads) waiting += 9;
        sent.push(run);
      },
      finish: end,
      destroy: end,
    };
  };
  let rolls = 0;
  const sender = new PulseSender({
    dial: ({ run }, done) => {
      h.dials++;
      return clock.after(0, () => done(h.reachable ? wire(run) : undefined));
    },
    beats: () => (h.turns ? ++beats : beats),
    clock,
    random: () => (rolls++ % 10) / 10,
    limits: { heartbeatMs: BEAT_MS, backoffMaxMs: PEER_LIMITS.backoffMaxMs },
  });
  return Object.assign(h, { sender });
}

async function until(condition: () => boolean): Promise<void> {
  const last = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < last, `never came: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
