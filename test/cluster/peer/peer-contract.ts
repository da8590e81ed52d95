// The contract of every PeerNetwork, run against each implementation.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Link } from '../../../actors/link/link.ts';
import type {
  Peer,
  PeerAddress,
  PeerEvent,
  PeerLimits,
  PeerNetwork,
  PeerStream,
  StreamTarget,
} from '../../../cluster/peer/network.ts';

export interface World {
  /** A network of `run` that does not listen yet. */
  network(run: string, address: PeerAddress | undefined, limits?: Partial<PeerLimits>): PeerNetwork;
  until(condition: () => boolean): Promise<void>;
  /** Lets time pass until the promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
  end(): Promise<void>;
}

/** A node of the test, which keeps all events. */
export class Node {
  readonly network: PeerNetwork;
  address: PeerAddress = { host: '', port: 0 };
  readonly events: string[] = [];
  readonly ups: Peer[] = [];
  readonly controls: unknown[] = [];
  readonly streams: PeerStream[] = [];
  readonly targets: StreamTarget[] = [];
  readonly batches: Uint8Array<ArrayBuffer>[][] = [];
  readonly closes: number[] = [];
  readonly counters: number[] = [];

  constructor(network: PeerNetwork) {
    this.network = network;
    network.onEvent((event) => this.#event(event));
  }

  async listen(): Promise<this> {
    this.address = await this.network.listen();
    return this;
  }

  dial(other: Node) {
    return this.network.dial({ run: other.network.identity.run, address: other.address });
  }

  get peer(): Peer {
    const peer = this.ups.at(-1);
    if (peer === undefined) throw new Error('no peer came up');
    return peer;
  }

  /** Records the events of a stream. Returns its index in the arrays. */
  watch(stream: PeerStream): number {
    const index = this.streams.push(stream) - 1;
    this.batches.push([]);
    this.closes.push(0);
    stream.onBatch((batch) => this.batches[index]?.push(batch));
    stream.onClose(() => {
      this.closes[index] = (this.closes[index] ?? 0) + 1;
    });
    return index;
  }

  #event(event: PeerEvent): void {
    this.events.push(event.type === 'down' ? `down ${event.reason}` : event.type);
    if (event.type !== 'up') return;
    const { peer } = event;
    this.ups.push(peer);
    peer.onControl((message) => this.controls.push(message));
    peer.onHeartbeat(({ counter }) => this.counters.push(counter));
    peer.onStream((stream, target) => {
      this.targets.push(target);
      this.watch(stream);
    });
  }
}

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);

export function peerContract(name: string, create: () => World): void {
  describe(name, () => {
    let world: World;
    beforeEach(() => {
      world = create();
    });
    afterEach(() => world.end());

    async function nodes(limits?: Partial<PeerLimits>): Promise<[Node, Node]> {
      const a = await new Node(world.network('run-a', undefined, limits)).listen();
      const b = await new Node(world.network('run-b', undefined, limits)).listen();
      return [a, b];
    }

    async function connected(limits?: Partial<PeerLimits>): Promise<[Node, Node]> {
      const [a, b] = await nodes(limits);
      a.dial(b);
      b.dial(a);
      await world.until(() => a.ups.length === 1 && b.ups.length === 1);
      return [a, b];
    }

    test('a pair that dials both ways has one connection, and each knows the other', async () => {
      const [a, b] = await connected();
      assert.deepEqual([a.peer.node, a.peer.run, a.peer.isUp], ['node-b', 'run-b', true]);
      assert.deepEqual([b.peer.node, b.peer.run, b.peer.isUp], ['node-a', 'run-a', true]);
      await world.until(() => a.counters.length > 2);
      assert.deepEqual([a.events, b.events], [['up'], ['up']]);
      assert.deepEqual(a.network.peers(), [a.peer]);
    });

    test('the larger run only waits', async () => {
      const [a, b] = await nodes();
      const dial = b.dial(a);
      for (let i = 0; i < 3; i++) assert.equal(await world.settle(dial.redialNow(2000)), 'connected');
      assert.deepEqual([a.events, b.events], [[], []]);
    });

    test('control messages arrive in order, both ways', async () => {
      const [a, b] = await connected();
      for (let i = 0; i < 100; i++) {
        a.peer.send({ type: 'count', i, list: [null, 'ü', 1.5] });
        b.peer.send(i);
      }
      await world.until(() => a.controls.length === 100 && b.controls.length === 100);
      assert.deepEqual(
        b.controls,
        Array.from({ length: 100 }, (_, i) => ({ type: 'count', i, list: [null, 'ü', 1.5] })),
      );
      assert.deepEqual(
        a.controls,
        Array.from({ length: 100 }, (_, i) => i),
      );
    });

    test('streams keep their order and do not mix, whichever end opened them', async () => {
      const [a, b] = await connected();
      for (let i = 0; i < 4; i++) a.watch(a.peer.openStream({ session: 2 ** 40 + i }));
      for (let i = 0; i < 4; i++) b.watch(b.peer.openStream({ session: i }));
      await world.until(() => a.streams.length === 8 && b.streams.length === 8);
      assert.deepEqual(
        b.targets,
        [0, 1, 2, 3].map((i) => ({ session: 2 ** 40 + i })),
      );
      for (let n = 0; n < 200; n++)
        for (const node of [a, b]) for (const [i, stream] of node.streams.entries()) stream.post(bytes(i, n));
      await world.until(() => [...a.batches, ...b.batches].every((batches) => batches.length === 200));
      for (const node of [a, b])
        node.batches.forEach((batches, i) => {
          // The first four streams that one end has opened are the last four of the other end.
          assert.deepEqual(
            batches,
            Array.from({ length: 200 }, (_, n) => bytes((i + 4) % 8, n)),
          );
        });
    });

    test('ten thousand small batches, and a large one, arrive whole', async () => {
      const [a, b] = await connected();
      const stream = a.peer.openStream({ session: 1 });
      for (let i = 0; i < 10_000; i++) stream.post(new Uint8Array(new Uint32Array([i]).buffer));
      const large = new Uint8Array(20 * 1024 * 1024);
      for (let i = 0; i < large.length; i += 4093) large[i] = i % 251;
      const copy = large.slice();
      stream.post(large);
      await world.until(() => b.batches[0]?.length === 10_001);
      const [batches = []] = b.batches;
      batches.slice(0, -1).forEach((batch, i) => {
        assert.equal(new DataView(batch.buffer).getUint32(0, true), i);
      });
      const last = batches.at(-1);
      assert.ok(last && Buffer.compare(last, copy) === 0);
      assert.equal(last.buffer.byteLength, last.length, 'it can be transferred');
    });

    test('closing a stream: messages posted before arrive, later ones do not; each side is told once', async () => {
      const [a, b] = await connected();
      const here = a.watch(a.peer.openStream({ session: 1 }));
      const stream = a.peer.openStream({ session: 2 });
      a.watch(stream);
      stream.post(bytes(1));
      await world.until(() => b.batches[1]?.length === 1);
      stream.post(bytes(2));
      b.streams[1]?.post(bytes(9));
      stream.close();
      stream.post(bytes(3));
      assert.equal(stream.isOpen, false);
      stream.close();
      await world.until(() => b.closes[1] === 1);
      b.streams[1]?.post(bytes(4));
      b.streams[1]?.close();
      a.streams[here]?.post(bytes(5));
      b.peer.send('last');
      await world.until(() => a.controls.length === 1 && b.batches[0]?.length === 1);
      assert.deepEqual(b.batches[1], [bytes(1), bytes(2)]);
      assert.deepEqual(a.batches, [[], []], 'what came after close is dropped');
      assert.deepEqual(
        [a.closes, b.closes],
        [
          [0, 1],
          [0, 1],
        ],
      );
    });

    test('a stream that nobody takes is closed', async () => {
      const [a, b] = await connected();
      b.peer.onStream(() => {});
      a.watch(a.peer.openStream({ session: 1 }));
      a.streams[0]?.post(bytes(1));
      await world.until(() => a.closes[0] === 1);
    });

    test('streams past the limit are closed from the start, the others go on', async () => {
      const [a, b] = await connected({ maxStreams: 2 });
      for (let i = 0; i < 3; i++) a.watch(a.peer.openStream({ session: i }));
      await world.until(() => b.streams.length === 2 && a.closes[2] === 1);
      assert.deepEqual(
        a.streams.map(({ isOpen }) => isOpen),
        [true, true, false],
      );
      a.streams[0]?.close();
      a.watch(a.peer.openStream({ session: 3 }));
      await world.until(() => b.streams.length === 3);
      assert.equal(a.peer.isUp, true);
    });

    test('links over a stream: credits hold, order holds', async () => {
      const [a, b] = await connected();
      const options = {
        windowMessages: 50,
        windowBytes: 1e6,
        queueMessages: 10_000,
        queueBytes: 1e6,
      };
      const got: number[] = [];
      const answers: number[] = [];
      b.peer.onStream((stream) => {
        const link = new Link<[number], [number]>(stream, options, (messages) => {
          for (const [n] of messages) {
            got.push(n);
            link.send([-n]);
          }
        });
      });
      const link = new Link<[number], [number]>(a.peer.openStream({ session: 1 }), options, (messages) => {
        for (const [n] of messages) answers.push(n);
      });
      for (let i = 1; i <= 2000; i++) assert.equal(link.offer([i]), true);
      await world.until(() => answers.length === 2000);
      const all = Array.from({ length: 2000 }, (_, i) => i + 1);
      assert.deepEqual(got, all);
      assert.deepEqual(
        answers,
        all.map((n) => -n),
      );
    });

    test('a peer that is closed: sent messages arrive, then streams, peer and event end, once each, at both ends', async () => {
      const [a, b] = await connected();
      const order: string[] = [];
      a.watch(a.peer.openStream({ session: 1 }));
      await world.until(() => b.streams.length === 1);
      b.streams[0]?.onClose(() => order.push('stream'));
      b.peer.onDown((reason) => order.push(`peer ${reason}`));
      const old = a.peer;
      const stream = a.streams[0];
      for (let i = 0; i < 500; i++) stream?.post(bytes(i % 256));
      old.send('last words');
      old.close();
      assert.deepEqual([old.isUp, stream?.isOpen, a.closes[0]], [false, false, 1]);
      await world.until(() => b.events.includes('down closed-there'));
      assert.equal(b.batches[0]?.length, 500);
      assert.deepEqual(b.controls, ['last words']);
      assert.deepEqual(order, ['stream', 'peer closed-there']);
      assert.deepEqual(a.events.slice(0, 2), ['up', 'down closed-here']);
    });

    test('a connection made again is a new peer with new streams; nothing of the old one comes', async () => {
      const [a, b] = await connected();
      const old = a.watch(a.peer.openStream({ session: 1 }));
      await world.until(() => b.streams.length === 1);
      for (let i = 0; i < 1000; i++) {
        b.streams[0]?.post(new Uint8Array(1000));
        b.peer.send('old');
      }
      const before = b.streams[0];
      a.peer.close();
      const [heard, controls] = [a.batches[old]?.length, a.controls.length];
      await world.until(() => a.ups.length === 2 && b.ups.length === 2);
      assert.notEqual(a.ups[0], a.ups[1]);
      assert.deepEqual([a.ups[0]?.isUp, a.ups[1]?.isUp, before?.isOpen], [false, true, false]);
      before?.post(bytes(1));
      const late = a.ups[0]?.openStream({ session: 1 });
      assert.equal(late?.isOpen, false);
      let told = 0;
      late?.onClose(() => told++);
      const fresh = a.watch(a.peer.openStream({ session: 2 }));
      a.streams[fresh]?.post(bytes(7));
      await world.until(() => b.batches[1]?.length === 1);
      b.peer.send('new');
      await world.until(() => a.controls.includes('new'));
      assert.equal(told, 1);
      assert.equal(a.batches[old]?.length, heard);
      assert.deepEqual(a.controls.slice(controls), ['new']);
      assert.deepEqual(b.batches[1], [bytes(7)]);
    });

    test('heartbeats count from one, each way', async () => {
      const [a, b] = await connected({ heartbeatMs: 20 });
      await world.until(() => a.counters.length >= 5 && b.counters.length >= 5);
      assert.deepEqual(a.counters.slice(0, 5), [1, 2, 3, 4, 5]);
      assert.deepEqual(b.counters.slice(0, 5), [1, 2, 3, 4, 5]);
    });

    test('more waiting bytes than allowed end the connection', async () => {
      const [a, b] = await connected({ maxBufferedBytes: 1_000_000 });
      a.watch(a.peer.openStream({ session: 1 }));
      const { peer } = a;
      a.streams[0]?.post(new Uint8Array(600_000));
      assert.ok(peer.bufferedBytes >= 600_000 && peer.isUp);
      a.streams[0]?.post(new Uint8Array(600_000));
      assert.deepEqual([peer.isUp, a.closes[0]], [false, 1]);
      await world.until(() => a.ups.length === 2 && b.ups.length === 2);
      assert.deepEqual(a.events, ['up', 'down slow', 'up']);
    });

    test('a frame above the limit is not sent: the connection ends', async () => {
      const [a, b] = await connected({ maxFrameBytes: 10_000 });
      a.peer.openStream({ session: 1 }).post(new Uint8Array(10_000));
      await world.until(() => b.batches[0]?.length === 1);
      a.peer.openStream({ session: 1 }).post(new Uint8Array(10_001));
      await world.until(() => b.events.length > 1);
      assert.deepEqual(a.events.slice(0, 2), ['up', 'down oversize']);
    });

    test('a dial is told that nobody listens, goes on, and succeeds when somebody does', async () => {
      const [a, b] = await nodes();
      await world.settle(b.network.close());
      const dial = a.dial(b);
      await world.until(() => a.events.filter((event) => event === 'refused').length >= 2);
      assert.equal(await world.settle(dial.redialNow(2000)), 'refused');
      const again = await new Node(world.network('run-b', b.address)).listen();
      await world.until(() => a.ups.length === 1 && again.ups.length === 1);
      assert.equal(await world.settle(dial.redialNow(2000)), 'connected');
      assert.equal(
        a.events.filter((event) => event === 'up').length,
        1,
        'asking leaves the connection alone',
      );
    });

    test('another run at the address does not pass for the one that was meant', async () => {
      const [a, b] = await nodes();
      await world.settle(b.network.close());
      await new Node(world.network('run-c', b.address)).listen();
      const dial = a.dial(b);
      await world.until(() => a.events.includes('replaced'));
      assert.equal(await world.settle(dial.redialNow(2000)), 'replaced');
      assert.deepEqual(a.ups, []);
    });

    test('a closed dial closes the peer and dials no more', async () => {
      const [a, b] = await nodes();
      const dial = a.dial(b);
      await world.until(() => a.ups.length === 1 && b.ups.length === 1);
      dial.close();
      await world.until(() => b.events.length === 2);
      assert.deepEqual(
        [a.events, b.events],
        [
          ['up', 'down closed-here'],
          ['up', 'down closed-there'],
        ],
      );
      assert.equal(await world.settle(dial.redialNow(100)), 'no-answer');
      a.dial(b);
      await world.until(() => a.ups.length === 2);
      assert.throws(() => a.dial(b), /dialled already/);
      assert.throws(() => a.dial(a), /our own/);
    });

    test('a closed network tells its downs and refuses', async () => {
      const [a, b] = await connected();
      await world.settle(b.network.close());
      assert.deepEqual(b.events, ['up', 'down closed-here']);
      assert.deepEqual(b.network.peers(), []);
      await world.until(() => a.events.includes('refused'));
      assert.deepEqual(a.events.slice(0, 2), ['up', 'down closed-there']);
    });
  });
}
