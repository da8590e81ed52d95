// Frames that are written past a socket's stream, and frames that go through it, reach the reader whole and
// in the order of the calls, however slowly it reads. A socket that ends lets go of the frames that waited.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { DirectWrites, MAX_BYTES } from '../../../src/gateway/node-private/direct-writes.ts';
import { fuzzRuns } from '../../support/fuzz-runs.ts';

const FRAME = Buffer.alloc(MAX_BYTES, 'a');

test('frames come in the order in which they were written, past the stream or through it', async (t) => {
  const direct = created();
  const { near, far } = await pair(t);
  const received = reading(far);
  const counts = { direct: 0, left: 0 };
  const sizes = fc.oneof(fc.nat(300), fc.integer({ min: MAX_BYTES - 1000, max: MAX_BYTES }));
  const step = fc.record({
    bytes: sizes,
    times: fc.constantFrom(1, 1, 1, 40),
    how: fc.constantFrom('direct', 'direct', 'direct', 'stream'),
    turn: fc.constantFrom('same', 'same', 'same', 'next'),
    reader: fc.constantFrom('as it was', 'as it was', 'reads', 'stands still'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const frames: Buffer[] = [];
      for (const { bytes, times, how, turn, reader } of steps) {
        if (reader === 'reads') far.resume();
        if (reader === 'stands still') far.pause();
        for (let time = 0; time < times; time++) {
          const frame = Buffer.alloc(bytes, frames.length + 1);
          frames.push(frame);
          const isWritten = how === 'direct' && direct.write(near, frame);
          if (how === 'direct') counts[isWritten ? 'direct' : 'left']++;
          if (!isWritten) near.write(frame);
        }
        if (turn === 'next') await nextTurn();
      }
      far.resume();
      const sent = Buffer.concat(frames);
      assert.ok((await received(sent.length)).equals(sent));
      while (near.writableLength > 0) await nextTurn();
    }),
    { numRuns: fuzzRuns(300) },
  );
  assert.ok(counts.direct > 500, `${counts.direct} were written past the stream`);
  assert.ok(counts.left > 20, `${counts.left} were left to the stream`);
});

test('while a frame waits in the handle the stream has the next ones, and counts them', async (t) => {
  const direct = created();
  const { near, far } = await pair(t);
  const bytes = fill(direct, near);
  near.write('b');
  assert.equal(near.writableLength, 1);
  const all = await reading(far)(bytes + 1);
  assert.equal(all.at(-1), 'b'.charCodeAt(0));
  while (!direct.write(near, Buffer.from('c'))) await nextTurn();
});

test('frames of several sockets wait at a time, each for its own reader', async (t) => {
  const direct = created();
  const pairs = [await pair(t), await pair(t), await pair(t)];
  const filled = pairs.map(({ near }) => fill(direct, near));
  for (const [i, { near, far }] of pairs.entries()) {
    const received = reading(far);
    assert.equal((await received(filled[i] ?? 0)).length, filled[i]);
    while (!direct.write(near, Buffer.from('b'))) await nextTurn();
    assert.equal(String(await received(1)), 'b');
  }
});

test('a frame that nobody would count while it waits is left to the stream', async (t) => {
  const direct = created();
  const { near } = await pair(t);
  assert.ok(!direct.write(near, Buffer.alloc(MAX_BYTES + 1)));
  assert.ok(direct.write(near, FRAME));
});

test('a waiting frame ends the socket when the other end breaks off, and nothing more is written', async (t) => {
  const direct = created();
  const { near, far } = await pair(t);
  fill(direct, near);
  // Nothing is read from the socket, so only the frame that waits shows that the other end is gone.
  const closed = new Promise((resolve) => near.on('close', resolve));
  far.resetAndDestroy();
  await closed;
  assert.ok(!direct.write(near, FRAME));
});

test('after an error the stream is to write, and ends as it does', async (t) => {
  const direct = created();
  const { near, far } = await pair(t);
  const gone = new Promise((resolve) => far.on('close', resolve));
  far.resetAndDestroy();
  await gone;
  assert.ok(!direct.write(near, FRAME));
  const closed = new Promise((resolve) => near.on('close', resolve));
  near.write('b');
  await closed;
});

test('a waiting frame goes out before the end of a socket that is ended', async (t) => {
  const direct = created();
  const { near, far } = await pair(t);
  const bytes = fill(direct, near);
  near.end('z');
  assert.ok(!direct.write(near, Buffer.from('late')));
  const chunks: Buffer[] = [];
  for await (const chunk of far) chunks.push(chunk as Buffer);
  const all = Buffer.concat(chunks);
  assert.deepEqual([all.length, String(all.subarray(-1))], [bytes + 1, 'z']);
});

test('it takes plain sockets, and nothing else', async (t) => {
  const direct = created();
  const { near } = await pair(t);
  assert.ok(direct.takes(near));
  assert.ok(!direct.takes(new PassThrough()));
  assert.ok(!direct.takes(new Duplex()));
  const { near: other } = await pair(t);
  assert.ok(!direct.takes(new TLSSocket(other, { isServer: true })));
});

function created(): DirectWrites {
  const direct = DirectWrites.create();
  assert.ok(direct, 'this Node has what direct writes take');
  return direct;
}

/** Writes until a frame waits in the handle. Returns the number of bytes. */
function fill(direct: DirectWrites, socket: Socket): number {
  let bytes = 0;
  while (direct.write(socket, FRAME)) bytes += FRAME.length;
  assert.equal(socket.writableLength, 0);
  return bytes;
}

/** Two ends of a connection that nobody reads yet. */
async function pair(t: TestContext): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const far = connect(address.port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  far.pause();
  for (const end of [near, far]) {
    end.on('error', () => {});
    t.after(() => end.destroy());
  }
  return { near, far };
}

/** Returns a function that resolves with the next `bytes` bytes. */
function reading(socket: Socket): (bytes: number) => Promise<Buffer> {
  let chunks: Buffer[] = [];
  let length = 0;
  let arrived = (): void => {};
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    arrived();
  });
  socket.resume();
  return async (bytes) => {
    while (length < bytes)
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
    const all = Buffer.concat(chunks);
    chunks = [all.subarray(bytes)];
    length -= bytes;
    return all.subarray(0, bytes);
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
