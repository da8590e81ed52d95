// What is written past a socket's stream, and what goes through it, reaches the reader whole and in the order of the
// calls, however slowly it reads; and a socket that ends lets go of what waited.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { DirectWrites } from '../../src/gateway/direct-writes.ts';

const KiB = 1024;

test('frames come in the order in which they were written, past the stream or through it', async (t) => {
  const direct = created();
  const { near, far } = await pair(t);
  assert.ok(direct.takes(near));
  const received = reading(far);
  const counts = { direct: 0, left: 0 };
  const sizes = fc.oneof(
    { weight: 3, arbitrary: fc.nat(300) },
    { weight: 1, arbitrary: fc.integer({ min: 100 * KiB, max: 4000 * KiB }) },
  );
  const step = fc.record({
    bytes: sizes,
    how: fc.constantFrom('direct', 'direct', 'direct', 'stream'),
    turn: fc.constantFrom('same', 'same', 'same', 'next'),
    reader: fc.constantFrom('as it was', 'as it was', 'reads', 'stands still'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const frames: Buffer[] = [];
      for (const { bytes, how, turn, reader } of steps) {
        if (reader === 'reads') far.resume();
        if (reader === 'stands still') far.pause();
        const frame = Buffer.alloc(bytes, frames.length + 1);
        frames.push(frame);
        const isWritten = how === 'direct' && direct.write(near, frame);
        if (how === 'direct') counts[isWritten ? 'direct' : 'left']++;
        if (!isWritten) near.write(frame);
        if (turn === 'next') await nextTurn();
      }
      far.resume();
      const sent = Buffer.concat(frames);
      assert.ok((await received(sent.length)).equals(sent));
      while (near.writableLength > 0) await nextTurn();
    }),
    { numRuns: 600 },
  );
  assert.ok(counts.direct > 500, `${counts.direct} were written past the stream`);
  assert.ok(counts.left > 50, `${counts.left} were left to the stream`);
});

test('while a frame waits in the handle the stream has the next ones, and counts them', async (t) => {
  const direct = created();
  const { near, far } = await pair(t);
  far.pause();
  const frame = Buffer.alloc(8000 * KiB, 'a');
  assert.ok(direct.write(near, frame));
  assert.ok(!direct.write(near, Buffer.from('b')));
  near.write('b');
  assert.equal(near.writableLength, 1);
  const received = reading(far);
  far.resume();
  const all = await received(frame.length + 1);
  assert.equal(all.at(-1), 'b'.charCodeAt(0));
  while (!direct.write(near, Buffer.from('c'))) await nextTurn();
});

test('what waits when the other end breaks off ends the socket', async (t) => {
  const direct = created();
  const { near, far } = await pair(t);
  far.pause();
  assert.ok(direct.write(near, Buffer.alloc(8000 * KiB)));
  const closed = new Promise((resolve) => near.on('close', resolve));
  far.resetAndDestroy();
  await closed;
  assert.ok(!direct.write(near, Buffer.from('late')));
});

test('what waits goes out before the end of a socket that is ended, and nothing is written behind it', async (t) => {
  const direct = created();
  const { near, far } = await pair(t);
  far.pause();
  const frame = Buffer.alloc(8000 * KiB, 'a');
  assert.ok(direct.write(near, frame));
  near.end('z');
  assert.ok(!direct.write(near, Buffer.from('late')));
  const chunks: Buffer[] = [];
  for await (const chunk of far) chunks.push(chunk as Buffer);
  assert.ok(Buffer.concat(chunks).equals(Buffer.concat([frame, Buffer.from('z')])));
});

function created(): DirectWrites {
  const direct = DirectWrites.create();
  assert.ok(direct, 'this Node has what direct writes take');
  return direct;
}

/** Two ends of a connection. */
async function pair(t: TestContext): Promise<{ near: Socket; far: Socket }> {
  const server = createServer();
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const far = connect(address.port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  for (const end of [near, far]) {
    end.on('error', () => {});
    t.after(() => end.destroy());
  }
  return { near, far };
}

/** Resolves with so many bytes more. */
function reading(socket: Socket): (bytes: number) => Promise<Buffer> {
  let chunks: Buffer[] = [];
  let length = 0;
  let arrived = (): void => {};
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    arrived();
  });
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
