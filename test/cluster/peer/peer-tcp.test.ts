// The network over TCP: the contract, admission of peers, the cost of strangers, stopped and killed
// processes.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, afterEach, test } from 'node:test';
import { systemClock } from '../../../actors/clock.ts';
import { encodeFrame, HELLO, PROOF } from '../../../cluster/peer/frames.ts';
import type { PeerAddress, PeerLimits, PeerNetwork } from '../../../cluster/peer/network.ts';
import { createTcpNetwork } from '../../../cluster/peer/tcp/network-tcp.ts';
import type { PeerCredentials } from '../../../cluster/peer/tcp/tcp-context.ts';
import { untilSeen } from '../../support/until.ts';
import { createAuthority } from './peer-certificates.ts';
import { Node, peerContract, type World } from './peer-contract.ts';

const HOST = '127.0.0.1';
const SECRET = randomBytes(32).toString('hex');
const authority = createAuthority('the cluster');

interface Settings {
  readonly address?: PeerAddress | undefined;
  readonly limits?: Partial<PeerLimits> | undefined;
  readonly credentials?: PeerCredentials;
  readonly cluster?: string;
}

class TcpWorld implements World {
  readonly log: string[] = [];
  readonly #credentials: PeerCredentials;
  readonly #networks: PeerNetwork[] = [];
  readonly #closers: (() => unknown)[] = [];

  constructor(credentials: PeerCredentials) {
    this.#credentials = credentials;
  }

  network(run: string, address?: PeerAddress, limits?: Partial<PeerLimits>): PeerNetwork {
    return this.create(run, { address, limits });
  }

  create(run: string, { address, limits, credentials, cluster }: Settings): PeerNetwork {
    const network = createTcpNetwork({
      identity: { cluster: cluster ?? 'test', node: run.replace('run-', 'node-'), run },
      host: HOST,
      port: address?.port ?? 0,
      credentials: credentials ?? this.#credentials,
      clock: systemClock,
      random: Math.random,
      log: (level, message, fields) => this.log.push(`${run} ${level} ${message} ${JSON.stringify(fields)}`),
      ...(limits === undefined ? {} : { limits }),
    });
    this.#networks.push(network);
    return network;
  }

  async until(condition: () => boolean): Promise<void> {
    await untilSeen(
      () => `${condition}\n${this.log.join('\n')}`,
      () => condition(),
    );
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return promise;
  }

  onEnd(close: () => unknown): void {
    this.#closers.push(close);
  }

  async end(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    await Promise.all(this.#networks.map((network) => network.close()));
  }
}

peerContract('peers over TCP, with a secret', () => new TcpWorld({ secret: SECRET }));
peerContract(
  'peers over TLS, with a secret',
  () => new TcpWorld({ secret: SECRET, tls: authority.issue('node') }),
);

let worlds: TcpWorld[] = [];
afterEach(async () => {
  for (const world of worlds) await world.end();
  worlds = [];
});
function openWorld(credentials: PeerCredentials = { secret: SECRET }): TcpWorld {
  const world = new TcpWorld(credentials);
  worlds.push(world);
  return world;
}

async function refusedWith(reason: RegExp, mine: Settings, theirs: Settings): Promise<void> {
  const world = openWorld();
  const a = await new Node(world.create('run-a', mine)).listen();
  const b = await new Node(world.create('run-b', theirs)).listen();
  const dial = a.dial(b);
  assert.equal(await dial.redialNow(2000), 'no-answer');
  await world.until(() => a.events.includes('unreachable') && world.log.some((line) => reason.test(line)));
  assert.deepEqual([a.ups, b.ups], [[], []]);
  assert.ok(!world.log.join().includes(SECRET));
}

test('another secret, another cluster, a secret on one side only: refused with a reason', async () => {
  await refusedWith(
    /run-b warn the connection of a node is refused .*authentication/,
    {},
    { credentials: { secret: 'x' } },
  );
  await refusedWith(/run-b warn the connection of a node is refused .*cluster/, { cluster: 'other' }, {});
  const tls = authority.issue('node');
  await refusedWith(
    /run-b warn the connection of a node is refused .*authentication/,
    { credentials: { tls } },
    { credentials: { tls, secret: SECRET } },
  );
});

test('certificates of the same authority are enough; of another one, or none, are refused', async () => {
  const tls = authority.issue('node');
  const world = openWorld({ tls });
  const a = await new Node(world.network('run-a')).listen();
  const b = await new Node(world.network('run-b')).listen();
  a.dial(b);
  await world.until(() => a.ups.length === 1 && b.ups.length === 1);

  const stranger = createAuthority('the cluster').issue('node');
  await refusedWith(
    /run-b warn the connection of a node is refused/,
    { credentials: { tls: stranger } },
    { credentials: { tls } },
  );
  // The dialler knows our authority, and we do not know its authority, so it has no certificate that we
  // accept.
  const halfway = { ...stranger, ca: tls.ca };
  await refusedWith(
    /run-b warn the connection of a node is refused/,
    { credentials: { tls: halfway } },
    { credentials: { tls } },
  );
  await refusedWith(
    /run-b warn the connection of a node is refused/,
    { credentials: { secret: SECRET } },
    { credentials: { tls } },
  );
});

test('a network without secret and certificates is not made', () => {
  assert.throws(() => openWorld({}).network('run-a'), /secret or certificates/);
});

test('garbage, a frame too large, silence, an end: closed with a reason, and others still come in', async () => {
  const world = openWorld();
  const limits = { handshakeMs: 200 };
  const b = await new Node(world.create('run-b', { limits })).listen();
  const send = async (bytes: Uint8Array, reason: RegExp): Promise<void> => {
    const socket = connect(b.address);
    socket.on('error', () => {});
    socket.write(bytes);
    socket.resume();
    await once(socket, 'close');
    await world.until(() => world.log.some((line) => reason.test(line)));
  };
  await send(Buffer.from('GET / HTTP/1.1\r\n\r\n'), /frame above 1024 bytes/);
  await send(Buffer.concat(encodeFrame(HELLO, 0, new Uint8Array(randomBytes(500)))), /garbage/);
  await send(Buffer.concat(encodeFrame(PROOF, 0, new Uint8Array(32))), /garbage/);
  await send(Buffer.concat(encodeFrame(HELLO, 0, new Uint8Array(1025))), /frame above 1024 bytes/);
  await send(Buffer.of(0, 0), /slow handshake/);
  const a = new Node(world.network('run-a'));
  a.dial(b);
  await world.until(() => a.ups.length === 1 && b.ups.length === 1);
});

test('a connection that ends before TLS is established is logged with its address, however it ends', async () => {
  const world = openWorld();
  const b = await new Node(world.create('run-b', { credentials: { tls: authority.issue('b') } })).listen();
  for (const end of ['resetAndDestroy', 'end'] as const) {
    const socket = connect(b.address).on('error', () => {});
    await once(socket, 'connect');
    const from = `"from":"127.0.0.1 ${socket.localPort}"`;
    socket.resume()[end]();
    // In the log the second attempt equals the first.
    if (end === 'resetAndDestroy') await world.until(() => world.log.some((line) => line.includes(from)));
  }
  const a = new Node(world.create('run-a', { credentials: { tls: authority.issue('a') } }));
  a.dial(b);
  await world.until(() => a.ups.length === 1);
  assert.ok(!world.log.join().includes('undefined'), world.log.join('\n'));
});

test('a dialler that is refused again and again is named with the reason, and logged once', async () => {
  const world = openWorld();
  const b = await new Node(world.create('run-b', {})).listen();
  const a = await new Node(world.create('run-a', { cluster: 'other' })).listen();
  const dial = a.dial(b);
  for (let i = 0; i < 5; i++) await dial.redialNow(2000);
  const told = world.log.filter((line) => line.includes('the connection of a node is refused'));
  assert.equal(told.length, 1, told.join('\n'));
  assert.match(told[0] ?? '', /"reason":"cluster","peer":"node-a","cluster":"other","see":"cluster.name"/);
});

test('handshakes under way are bounded, and so is the log', async () => {
  const world = openWorld();
  const b = await new Node(world.create('run-b', { limits: { maxPendingHandshakes: 3 } })).listen();
  const sockets: Socket[] = [];
  let closed = 0;
  world.onEnd(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let i = 0; i < 50; i++) {
    const socket = connect(b.address).on('error', () => {});
    socket.on('close', () => closed++).resume();
    sockets.push(socket);
  }
  await world.until(() => closed === 47);
  assert.ok(world.log.length >= 1 && world.log.length <= 12, `${world.log.length} lines`);
  for (const socket of sockets) socket.destroy();
  const a = new Node(world.network('run-a'));
  a.dial(b);
  await world.until(() => a.ups.length === 1);
});

/** A proxy that passes bytes on, keeps the bytes of the dialler, and can fall silent without closing. */
async function proxy(world: TcpWorld, to: PeerAddress) {
  const heard: Buffer[][] = [];
  const all: Buffer[] = [];
  const sockets: Socket[] = [];
  let silent = false;
  const server = createServer((near) => {
    const far = connect(to);
    const sent: Buffer[] = [];
    heard.push(sent);
    sockets.push(near, far);
    near.on('data', (chunk) => {
      sent.push(chunk);
      all.push(chunk);
      if (!silent) far.write(chunk);
    });
    far.on('data', (chunk) => {
      all.push(chunk);
      if (!silent) near.write(chunk);
    });
    near.on('error', () => {}).on('close', () => silent || far.destroy());
    far.on('error', () => {}).on('close', () => silent || near.destroy());
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  world.onEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const fallSilent = (): void => {
    silent = true;
  };
  return { address: { host: HOST, port }, heard, all, fallSilent };
}

test('the secret is not on the wire, and what was recorded opens nothing', async () => {
  const world = openWorld();
  const a = new Node(world.network('run-a'));
  const b = await new Node(world.network('run-b')).listen();
  const between = await proxy(world, b.address);
  a.network.dial({ run: 'run-b', address: between.address });
  await world.until(() => a.ups.length === 1 && b.ups.length === 1);
  const [link = []] = between.heard;
  const recorded = Buffer.concat(link);
  assert.ok(!Buffer.concat(between.all).includes(SECRET));
  await a.network.close();
  const replay = connect(b.address).on('error', () => {});
  replay.resume().write(recorded);
  await once(replay, 'close');
  await world.until(() => world.log.some((line) => /refused .*authentication/.test(line)));
  assert.equal(b.ups.length, 1);
});

test('a connection that passes nothing on is seen by missing heartbeats, and given up', async () => {
  const world = openWorld();
  const limits = { heartbeatMs: 20, silenceMs: 400 };
  const a = new Node(world.create('run-a', { limits }));
  const b = await new Node(world.create('run-b', { limits })).listen();
  const between = await proxy(world, b.address);
  const dial = a.network.dial({ run: 'run-b', address: between.address });
  await world.until(() => a.counters.length > 2 && b.counters.length > 2);
  assert.equal(await dial.redialNow(2000), 'connected');
  between.fallSilent();
  assert.equal(await dial.redialNow(100), 'no-answer');
  await world.until(() => a.events.includes('down silent') && b.events.includes('down silent'));
});

test('heartbeats do not wait behind large frames', async () => {
  const world = openWorld();
  const limits = { heartbeatMs: 10, maxBufferedBytes: 400 * 1024 * 1024 };
  const a = new Node(world.create('run-a', { limits }));
  const b = await new Node(world.create('run-b', { limits })).listen();
  a.dial(b);
  await world.until(() => b.counters.length > 2);
  const stream = a.peer.openStream({ session: 1 });
  const seen = b.counters.length;
  for (let i = 0; i < 4; i++) stream.post(new Uint8Array(32 * 1024 * 1024));
  let during = 0;
  await world.until(() => {
    const received = b.batches[0]?.length ?? 0;
    if (received < 4) during = b.counters.length - seen;
    return received === 4;
  });
  assert.ok(during >= 2, `${during} heartbeats while 128 MB were under way`);
});

let child: ChildProcess | undefined;
after(() => child?.kill('SIGKILL'));

test('a stopped process: heartbeats end, and dials are neither answered nor refused; a killed one refuses', async () => {
  const world = openWorld();
  const limits = { silenceMs: 600 };
  const b = await new Node(world.create('run-b', { limits })).listen();
  child = fork(new URL('./peer-process.js', import.meta.url), [
    'run-a',
    SECRET,
    'run-b',
    `${b.address.port}`,
  ]);
  const [message] = await once(child, 'message');
  const address = { host: HOST, port: Number(Object(message).port) };
  const dial = b.network.dial({ run: 'run-a', address });
  await world.until(() => b.counters.length > 2);
  assert.equal(await dial.redialNow(2000), 'connected');
  child.kill('SIGSTOP');
  assert.equal(await dial.redialNow(300), 'no-answer');
  await world.until(() => b.events.includes('down silent'));
  child.kill('SIGCONT');
  await world.until(() => b.ups.length === 2);
  child.kill('SIGKILL');
  await world.until(() => b.events.includes('down lost'));
  assert.equal(await dial.redialNow(2000), 'refused');
});
