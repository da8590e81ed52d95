// The reader before ws changes no visible behaviour: the same bytes, however they are cut, give the same
// messages, answers and closings with it and without it.
import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { type WebSocket, WebSocketServer } from 'ws';
import { type FrameProgress, WholeFrames } from '../../../src/gateway/node-private/whole-frames.ts';

const RUNS = 1_000 * Number(process.env.FUZZ_RUNS ?? 1);

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

interface Frame {
  readonly first: number;
  readonly payload: Buffer;
  readonly isMasked: boolean;
  /** The number of bytes that state the length where fewer would do. 0: as few as possible. */
  readonly wide: 0 | 2 | 8;
  /** The difference between the stated length and the real one. */
  readonly lie: number;
}

const length = fc.oneof(
  { weight: 8, arbitrary: fc.nat(40) },
  { weight: 2, arbitrary: fc.constantFrom(0, 124, 125, 126, 127, 300, 2000) },
  { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536, 70_000, 70_001) },
);
const text = fc.oneof(
  length.map((units) => Buffer.from('x'.repeat(units))),
  fc.string({ unit: 'binary' }).map((value) => Buffer.from(value)),
  fc.constantFrom('\ufffd', 'a\ufffdb', '\u0000', 'é€😀', '\ufeffa').map((value) => Buffer.from(value)),
);
const noText = fc.constantFrom(
  Buffer.from([0xff]),
  Buffer.from([0x61, 0xc3]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xc0, 0x80]),
);
const honest = { isMasked: true, wide: 0, lie: 0 } as const;
const frame = (first: number, payload: fc.Arbitrary<Buffer>): fc.Arbitrary<Frame[]> =>
  payload.map((bytes) => [{ ...honest, first, payload: bytes }]);
const small = fc.uint8Array({ maxLength: 125 }).map((bytes) => Buffer.from(bytes));

const usual = fc.oneof(
  { weight: 6, arbitrary: frame(0x81, text) },
  {
    weight: 2,
    arbitrary: frame(
      0x82,
      length.map((bytes) => Buffer.alloc(bytes, 0xa5)),
    ),
  },
  { weight: 1, arbitrary: frame(0x89, small) },
  { weight: 1, arbitrary: frame(0x8a, small) },
);
/** A message in parts, with a ping or a whole message between them. */
const parts = fc
  .tuple(fc.constantFrom(0x01, 0x02), fc.array(text, { minLength: 1, maxLength: 3 }), fc.option(usual))
  .map(([first, payloads, between]): Frame[] => [
    ...payloads.flatMap((payload, i): Frame[] => [
      { ...honest, first: i === 0 ? first : 0x00, payload },
      ...(i === 0 ? (between ?? []) : []),
    ]),
    { ...honest, first: 0x80, payload: Buffer.from('end') },
  ]);
const odd = fc.oneof(
  parts,
  frame(0x81, noText),
  frame(
    0x88,
    fc
      .constantFrom('', '\u0003\u00e8bye', '\u0003', '\u0000\u0001')
      .map((value) => Buffer.from(value, 'latin1')),
  ),
  frame(0x89, fc.constant(Buffer.alloc(126))),
  fc
    .record({
      first: fc.nat(255),
      payload: text,
      isMasked: fc.boolean(),
      wide: fc.constantFrom(0 as const, 2 as const, 8 as const),
      lie: fc.constantFrom(0, 1, 200, 2 ** 33, 2 ** 60),
    })
    .map((any): Frame[] => [any]),
  usual.map((frames) => frames.map((each) => ({ ...each, wide: 8 as const }))),
  usual.map((frames) => frames.map((each) => ({ ...each, wide: 2 as const }))),
  usual.map((frames) => frames.map((each) => ({ ...each, isMasked: false }))),
  // The payload looks like messages on their way.
  frame(
    0x82,
    text.map((payload) => masked(encode({ ...honest, first: 0x81, payload }))),
  ),
);
const frames = fc
  .array(fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: odd }), { maxLength: 12 })
  .map((all) => all.flat().map(encode));
/**
 * Possible cuts behind each header, behind each frame and at some other places, and whether the rest comes in
 * the same turn.
 */
const cuts = fc.record({
  maxPayload: fc.constantFrom(1000, 70_000),
  hows: fc.infiniteStream(fc.constantFrom('none', 'none', 'none', 'same turn', 'later')),
  within: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()), { maxLength: 4 }),
});

test('the same bytes give the same messages and the same end, with and without it', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(frames, cuts, async (all, { hows, within, maxPayload }) => {
      const bytes = Buffer.concat(all);
      const places = within.map(([share, sameTurn]) => [Math.round(share * bytes.length), sameTurn] as const);
      let start = 0;
      for (const each of all) {
        for (const at of [start + 2 + MASK.length, start + each.length]) {
          const how = hows.next().value;
          if (how !== 'none') places.push([at, how === 'same turn']);
        }
        start += each.length;
      }
      const pieces = cut(bytes, places);
      const alone = await played(pieces, maxPayload);
      const tapped = await played(pieces, maxPayload, () => taken++);
      assert.deepEqual(tapped, alone);
    }),
    { numRuns: RUNS },
  );
  assert.ok(taken > RUNS / 2, `it has taken ${taken} messages`);
});

test('a stream to which ws does not listen as expected is left as it is, and the caller is told', () => {
  const frames = new WholeFrames<FrameProgress>(1024, () => assert.fail('taken'));
  const listens = (): void => undefined;
  const others = (): void => undefined;
  const untouched = (stream: Duplex, listeners: readonly unknown[]): void => {
    assert.equal(frames.tap(stream, { passing: 0 }), false);
    assert.deepEqual(stream.listeners('data'), listeners);
  };
  untouched(new PassThrough(), []);
  untouched(new PassThrough().on('data', listens).on('data', others), [listens, others]);
  assert.equal(frames.tap(new PassThrough().on('data', listens), { passing: 0 }), true);
  untouched(new PassThrough().on('data', others), [others]);
});

test('a socket whose frames came in parts gives whole ones again', async () => {
  let taken = 0;
  const first = encode({ ...honest, first: 0x81, payload: Buffer.from('one of several parts') });
  const second = encode({ ...honest, first: 0x81, payload: Buffer.from('whole') });
  const pieces = [first.subarray(0, 9), first.subarray(9), second, second].map(
    (piece) => [piece, false] as const,
  );
  const { messages } = await played(pieces, 1000, () => taken++);
  assert.deepEqual(messages, ['text:one of several parts', 'text:whole', 'text:whole']);
  assert.equal(taken, 2);
});

function encode({ first, payload, isMasked, wide, lie }: Frame): Buffer {
  const told = payload.length + lie;
  const width = wide === 8 || told > 0xffff ? 8 : wide === 2 || told > 125 ? 2 : 0;
  const head = Buffer.alloc(2 + width);
  head[0] = first;
  head[1] = (isMasked ? 0x80 : 0) | (width === 8 ? 127 : width === 2 ? 126 : told);
  if (width === 2) head.writeUInt16BE(told, 2);
  if (width === 8) head.writeBigUInt64BE(BigInt(told), 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  return Buffer.concat([head, MASK, masked(payload)]);
}

function masked(payload: Buffer): Buffer {
  return Buffer.from(payload.map((byte, i) => byte ^ (MASK[i & 3] ?? 0)));
}

type Piece = readonly [bytes: Buffer, sameTurn: boolean];

function cut(bytes: Buffer, places: readonly (readonly [at: number, sameTurn: boolean])[]): readonly Piece[] {
  const sorted = [...places].sort(([a], [b]) => a - b);
  const pieces: Piece[] = [];
  let from = 0;
  for (const [at, sameTurn] of [...sorted, [bytes.length, false] as const]) {
    if (at > from) pieces.push([bytes.subarray(from, at), sameTurn]);
    from = Math.max(from, at);
  }
  return pieces;
}

/**
 * Plays these pieces to a server with ws. Returns what the server sends and receives. With `onTaken` the
 * reader stands before ws.
 */
async function played(pieces: readonly Piece[], maxPayload: number, onTaken?: () => void) {
  const messages: string[] = [];
  const answers: Buffer[] = [];
  const ends: unknown[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      answers.push(chunk);
      done();
    },
  });
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload });
  const headers = {
    upgrade: 'websocket',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
  };
  const socket = await new Promise<WebSocket>((resolve) => {
    server.handleUpgrade(
      Object.assign(new IncomingMessage(new Socket()), { method: 'GET', headers }),
      stream,
      Buffer.alloc(0),
      resolve,
    );
  });
  const told = (payload: string | Uint8Array): void =>
    void messages.push(
      typeof payload === 'string' ? `text:${payload}` : `bytes:${Buffer.from(payload).toString('hex')}`,
    );
  if (onTaken !== undefined) {
    const progress: FrameProgress = { passing: 0 };
    new WholeFrames<FrameProgress>(maxPayload, (_, payload, isText) => {
      onTaken();
      told(isText ? payload.toString('utf8') : payload);
    }).tap(stream, progress);
  }
  socket.on('message', (data: Buffer, isBinary) => told(isBinary ? data : data.toString('utf8')));
  socket.on('error', (error) => ends.push(error.message));
  const closed = new Promise<void>((resolve) => {
    socket.on('close', (code) => {
      ends.push(code);
      resolve();
    });
  });
  for (const [bytes, sameTurn] of pieces) {
    // The frame is unmasked in place, so each run gets a copy.
    stream.push(Buffer.from(bytes));
    if (!sameTurn) await new Promise((resolve) => setImmediate(resolve));
  }
  stream.push(null);
  await closed;
  stream.destroy();
  return { messages, ends, answers: Buffer.concat(answers).toString('hex') };
}
