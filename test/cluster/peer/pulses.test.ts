// Pulses: their targets, their end, and their independence of the main thread's long turns.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { systemClock } from '../../../actors/clock.ts';
import { BATCH, HEARTBEAT } from '../../../cluster/peer/frames.ts';
import { PEER_LIMITS, type PeerAddress, type PeerTarget } from '../../../cluster/peer/network.ts';
import { BACKOFF_MAX_MS, MISSED_MS, PulseSender, TURN_MS } from '../../../cluster/peer/pulse-sender.ts';
import { createTcpNetwork } from '../../../cluster/peer/tcp/network-tcp.ts';
import type { PeerCredentials } from '../../../cluster/peer/tcp/tcp-context.ts';
import { TcpDialler } from '../../../cluster/peer/tcp/tcp-dialler.ts';
import type { Wire, WireHandlers } from '../../../cluster/peer/wire.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { untilSeen } from '../../support/until.ts';
import { createAuthority } from './peer-certificates.ts';

const HOST = '127.0.0.1';
const SECRET = randomBytes(32).toString('hex');
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

test('a peer that dialled us is sent pulses as soon as its address is known', async () => {
  const a = await node('run-a', { secret: SECRET });
  const b = await node('run-b', { secret: SECRET });
  a.network.dial(b.target);
  await until(() => b.pulses.length > 0);
  assert.deepEqual(b.targets, []);
  b.network.dial(a.target);
  assert.deepEqual(b.targets, [a.target]);
  await until(() => a.pulses.length > 0);
});

test('a dialler that does not know the secret gets no wire', async () => {
  const b = await node('run-b', { secret: SECRET });
  assert.equal(await wireTo(b.target, { secret: SECRET.toUpperCase() }), undefined);
  await until(() => b.log.some((line) => line.includes('authentication')));
});

test('each pulse is answered; any other frame, and a pulse with content, ends the connection and is no sign of life', async () => {
  const a = await node('run-a', { secret: SECRET });
  const b = await node('run-b', { secret: SECRET });
  a.network.dial(b.target);
  b.network.dial(a.target);
  await until(() => b.pulses.length > 0);
  a.stop();
  for (const [type, bytes] of [
    [HEARTBEAT, 1],
    [BATCH, 0],
    [HEARTBEAT, 2000],
  ] as const) {
    let answers = 0;
    let ended = false;
    const wire = await wireTo(b.target, { secret: SECRET });
    wire?.start({ frame: () => answers++, end: () => (ended = true) });
    wire?.send(HEARTBEAT, 0, new Uint8Array(0));
    await until(() => answers === 1);
    const { length } = b.pulses;
    wire?.send(type, 0, new Uint8Array(bytes));
    await until(() => ended);
    assert.deepEqual([answers, b.pulses.length], [1, length]);
  }
  // The third connection is cut off before it is read.
  assert.equal(b.log.filter((line) => line.includes('among pulses')).length, 2);
});

test('a network that closes lets go of who pulses', async () => {
  const b = await node('run-b', { secret: SECRET }, { silenceMs: 600_000 });
  let ended = false;
  (await wireTo(b.target, { secret: SECRET }))?.start({ frame: () => {}, end: () => (ended = true) });
  await b.network.close();
  await until(() => ended);
});

test('a newer connection takes the place of an older one, and one that is silent is let go', async () => {
  const b = await node('run-b', { secret: SECRET }, { silenceMs: 300 });
  const ended: string[] = [];
  for (const name of ['first', 'second']) {
    const wire = await wireTo(b.target, { secret: SECRET });
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

test('if a peer cannot be reached, or the connection is lost, it is dialled again', async () => {
  const h = harness();
  h.reachable = false;
  h.sender.setTargets([A]);
  await h.pass(MISSED_MS);
  assert.deepEqual([h.sent(), h.changes], [{}, []]);
  await h.pass(600_000);
  assert.deepEqual(h.changes, ['run-a false']);
  assert.ok(h.dials > 10 && h.dials < 100, `${h.dials} dials`);
  h.reachable = true;
  await h.pass(BACKOFF_MAX_MS + 1_000);
  assert.ok((h.sent()['run-a'] ?? 0) >= 5);
  assert.deepEqual(h.changes, ['run-a false', 'run-a true']);
  h.lose();
  await h.pass(1_000);
  assert.ok((h.sent()['run-a'] ?? 0) >= 4);
  h.reachable = false;
  h.lose();
  h.sender.setTargets([]);
  const { dials } = h;
  await h.pass(10_000);
  assert.equal(h.dials, dials);
});

test('a connection that answers nothing is given up, but not for what was not sent', async () => {
  const h = harness();
  h.sender.setTargets([A]);
  await h.pass(10_000);
  h.turns = false;
  await h.pass(60_000);
  assert.deepEqual([h.dials, h.changes], [1, []]);
  h.turns = true;
  await h.pass(1_000);
  assert.equal(h.dials, 1);
  h.answers = false;
  await h.pass(PEER_LIMITS.silenceMs + 1_000);
  assert.ok(h.dials > 1, 'it is dialled again');
  h.reachable = false;
  h.lose();
  h.turns = false;
  await h.pass(TURN_MS + PEER_LIMITS.silenceMs);
  const { dials } = h;
  await h.pass(60_000);
  assert.equal(h.dials, dials, 'who is not vouched for does not dial');
});

test('for how long the main thread has not turned is known where there was nobody to tell', async () => {
  const h = harness();
  await h.pass(1_000);
  h.turns = false;
  await h.pass(10_000);
  h.sender.setTargets([A]);
  await h.pass(1_000);
  assert.deepEqual(h.sent(), {});
});

test('for a peer that does not read no more pulses wait than a few', async () => {
  const h = harness();
  h.reads = false;
  h.limits.silenceMs = 3_600_000;
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
    limits: { ...PEER_LIMITS, heartbeatMs: 20 },
    onChange: () => {},
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

function wireTo(target: PeerTarget, credentials: PeerCredentials): Promise<Wire | undefined> {
  return new Promise((resolve) => diallerOf('run-a', credentials).dialForPulses(target, 2_000, resolve));
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
    answers: true,
    dials: 0,
    changes: [] as string[],
    limits: { ...PEER_LIMITS },
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
        if (h.reads && h.answers)
          clock.after(1, () => handlers?.frame({ type: HEARTBEAT, stream: 0, payload: new Uint8Array(0) }));
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
    limits: h.limits,
    onChange: (run, succeeds) => h.changes.push(`${run} ${succeeds}`),
  });
  return Object.assign(h, { sender });
}

const until = (condition: () => boolean): Promise<true> => untilSeen(String(condition), () => condition());
