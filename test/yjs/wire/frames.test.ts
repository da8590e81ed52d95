// The frames of both protocols: what the packages of the providers write is read as it was meant, what the server writes is
// read by these packages, and any other bytes are a FrameError.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createDecoder,
  hasContent,
  readVarInt,
  readVarString,
  readVarUint,
  readVarUint8Array,
} from 'lib0/decoding';
import {
  createEncoder,
  type Encoder,
  toUint8Array,
  writeVarString,
  writeVarUint,
  writeVarUint8Array,
} from 'lib0/encoding';
import { readAuthMessage } from 'y-protocols/auth';
import { Awareness, applyAwarenessUpdate } from 'y-protocols/awareness';
import { readSyncMessage, writeSyncStep1, writeSyncStep2, writeUpdate } from 'y-protocols/sync';
import * as Y from 'yjs';
import { FrameError } from '../../../protocol/codec.ts';
import { findState, readAwareness, writeAwareness } from '../../../src/yjs/wire/awareness.ts';
import {
  awarenessBody,
  deniedBody,
  queryAwarenessBody,
  type SharedMessage,
  step1Body,
  step2Body,
  updateBody,
} from '../../../src/yjs/wire/body.ts';
import { FrameReader } from '../../../src/yjs/wire/frame-reader.ts';
import {
  addressPart,
  authenticatedBody,
  closeBody,
  type HocuspocusMessage,
  permissionDeniedBody,
  pongBody,
  readHocuspocus,
  statelessBody,
  syncStatusBody,
  tokenRequestBody,
} from '../../../src/yjs/wire/hocuspocus.ts';
import { readYWebsocket } from '../../../src/yjs/wire/y-websocket.ts';
import { amidst, outcome } from './outcome.ts';

const RUNS = 300 * Number(process.env.FUZZ_RUNS ?? 1);
const BOUNDS = { tokenBytes: 8192, statelessBytes: 4096 };
const AWARENESS_BOUNDS = { states: 64, stateBytes: 4096 };

const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((any) => any.isWellFormed());
const bytes = fc.uint8Array({ maxLength: 200 });
const address = fc.oneof(
  fc.constant('acme/plan'),
  text.map((session) => `acme/plan\0${session}`),
);

const shared: fc.Arbitrary<SharedMessage> = fc.oneof(
  bytes.map((stateVector) => ({ type: 'step-1' as const, stateVector })),
  bytes.map((update) => ({ type: 'step-2' as const, update })),
  bytes.map((update) => ({ type: 'update' as const, update })),
  bytes.map((update) => ({ type: 'awareness' as const, update })),
  fc.constant({ type: 'query-awareness' as const }),
);
const hocuspocus: fc.Arbitrary<HocuspocusMessage> = fc.oneof(
  shared,
  fc
    .tuple(text, fc.option(text, { nil: undefined }))
    .map(([token, version]) => ({ type: 'token' as const, token, version })),
  text.map((payload) => ({ type: 'stateless' as const, payload })),
  fc.constantFrom({ type: 'close' as const }, { type: 'ping' as const }, { type: 'pong' as const }),
);

/** Writes a message as the providers do. */
function write(encoder: Encoder, message: HocuspocusMessage): void {
  const types = (...numbers: number[]): void => {
    for (const number of numbers) writeVarUint(encoder, number);
  };
  switch (message.type) {
    case 'step-1':
      types(0, 0);
      writeVarUint8Array(encoder, message.stateVector);
      return;
    case 'step-2':
      types(0, 1);
      writeVarUint8Array(encoder, message.update);
      return;
    case 'update':
      types(0, 2);
      writeVarUint8Array(encoder, message.update);
      return;
    case 'awareness':
      types(1);
      writeVarUint8Array(encoder, message.update);
      return;
    case 'query-awareness':
      types(3);
      return;
    case 'token':
      types(2, 0);
      writeVarString(encoder, message.token);
      if (message.version !== undefined) writeVarString(encoder, message.version);
      return;
    case 'stateless':
      types(5);
      writeVarString(encoder, message.payload);
      return;
    case 'close':
      types(7);
      return;
    case 'ping':
      types(9);
      return;
    case 'pong':
      types(10);
  }
}

const frameOf = (message: HocuspocusMessage, to?: string): Uint8Array => {
  const encoder = createEncoder();
  if (to !== undefined) writeVarString(encoder, to);
  write(encoder, message);
  return toUint8Array(encoder);
};

const plain = (message: HocuspocusMessage): HocuspocusMessage => {
  if ('update' in message) return { ...message, update: Uint8Array.from(message.update) };
  if ('stateVector' in message) return { ...message, stateVector: Uint8Array.from(message.stateVector) };
  return message;
};

test('a message of a y-websocket client is read as it was written', () => {
  fc.assert(
    fc.property(shared, (message) => {
      assert.deepEqual(plain(readYWebsocket(amidst(frameOf(message)))), message);
    }),
    { numRuns: RUNS },
  );
});

test('a message of a Hocuspocus provider is read as it was written, with its address, session and version', () => {
  fc.assert(
    fc.property(hocuspocus, address, (message, to) => {
      const read = readHocuspocus(amidst(frameOf(message, to)), BOUNDS);
      assert.deepEqual(
        { ...read, message: plain(read.message) },
        { address: to, document: 'acme/plan', message },
      );
    }),
    { numRuns: RUNS },
  );
});

test('a frame that ends too early or too late is a FrameError, whatever stands behind it in memory', () => {
  fc.assert(
    fc.property(hocuspocus, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 3 }), (message, at, more) => {
      const frame = frameOf(message, 'acme/plan');
      // The length of this name alone, in one byte, is a ping.
      const cut = at % frame.length === 1 ? 0 : at % frame.length;
      const read = outcome(() => readHocuspocus(amidst(frame.subarray(0, cut)), BOUNDS));
      // Without its last part, which is optional, the message of a token is whole.
      const isWhole =
        message.type === 'token' && cut === frameOf({ ...message, version: undefined }, 'acme/plan').length;
      assert.equal(read instanceof FrameError, !isWhole);
      if (message.type === 'token' && message.version === undefined) return;
      assert.ok(
        outcome(() => readHocuspocus(amidst(Buffer.concat([frame, more])), BOUNDS)) instanceof FrameError,
      );
    }),
    { numRuns: RUNS },
  );
});

test('any bytes are a message or a FrameError, and a message holds bytes of its own frame only', () => {
  const begun = fc.tuple(hocuspocus, fc.nat(), fc.nat(255)).map(([message, at, byte]) => {
    const frame = frameOf(message, 'acme/plan');
    frame[at % frame.length] = byte;
    return frame;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), begun), (frame) => {
      const inside = amidst(frame);
      for (const read of [
        outcome(() => readHocuspocus(inside, BOUNDS).message),
        outcome(() => readYWebsocket(inside)),
      ]) {
        if (read instanceof FrameError) continue;
        const part = 'update' in read ? read.update : 'stateVector' in read ? read.stateVector : inside;
        assert.ok(part.byteOffset >= inside.byteOffset);
        assert.ok(part.byteOffset + part.length <= inside.byteOffset + inside.length);
      }
      outcome(() => readAwareness(inside, AWARENESS_BOUNDS));
      outcome(() => findState(inside, 64, () => true));
    }),
    { numRuns: 3 * RUNS },
  );
});

test('lengths and numbers that no frame can have are FrameErrors', () => {
  const number = (value: number): Uint8Array => {
    const encoder = createEncoder();
    writeVarUint(encoder, value);
    return toUint8Array(encoder);
  };
  const endless = new Uint8Array(1024 * 1024).fill(0x80);
  const tooLarge = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
  for (const length of [
    number(2 ** 31),
    number(2 ** 32 + 1),
    number(Number.MAX_SAFE_INTEGER),
    tooLarge,
    endless,
  ]) {
    const frame = amidst(Buffer.concat([Uint8Array.of(0, 2), length, Buffer.alloc(20)]));
    assert.ok(outcome(() => readYWebsocket(frame)) instanceof FrameError);
    assert.ok(outcome(() => readHocuspocus(amidst(length), BOUNDS)) instanceof FrameError);
    assert.ok(outcome(() => readAwareness(amidst(length), AWARENESS_BOUNDS)) instanceof FrameError);
    const state = Buffer.concat([Uint8Array.of(1, 7, 1), length]);
    assert.ok(outcome(() => readAwareness(amidst(state), AWARENESS_BOUNDS)) instanceof FrameError);
  }
});

test('unknown types, texts that are not UTF-8 and texts above their bound are FrameErrors', () => {
  const to = addressPart('acme/plan');
  const cases: Uint8Array[] = [
    ...[4, 6, 8, 11, 127, 128].map((type) => Uint8Array.of(type, 1, 0)),
    Uint8Array.of(0, 3, 0),
    Uint8Array.of(2, 1, 0),
    Uint8Array.of(5, 1, 0xff),
    Uint8Array.of(5, 3, 0xed, 0xa0, 0x80),
    frameOf({ type: 'stateless', payload: 'x'.repeat(BOUNDS.statelessBytes + 1) }),
    frameOf({ type: 'token', token: 'x'.repeat(BOUNDS.tokenBytes + 1), version: undefined }),
    frameOf({ type: 'token', token: 'x', version: 'x'.repeat(65) }),
  ];
  for (const body of cases)
    assert.ok(
      outcome(() => readHocuspocus(Buffer.concat([to, body]), BOUNDS)) instanceof FrameError,
      Buffer.from(body).toString('hex', 0, 8),
    );
  const long = frameOf({ type: 'ping' }, 'x'.repeat(601));
  assert.ok(outcome(() => readHocuspocus(long, BOUNDS)) instanceof FrameError);
  // Hocuspocus's own types are none of y-websocket.
  for (const type of [2, 4, 5, 7, 8, 9, 10])
    assert.ok(outcome(() => readYWebsocket(Uint8Array.of(type))) instanceof FrameError);
});

test('a ping and a pong without an address are about the socket', () => {
  for (const [byte, type] of [
    [9, 'ping'],
    [10, 'pong'],
  ] as const)
    assert.deepEqual(readHocuspocus(Uint8Array.of(byte), BOUNDS), {
      address: '',
      document: '',
      message: { type },
    });
});

test('y-protocols reads the messages of the server', () => {
  const [ours, theirs] = [new Y.Doc(), new Y.Doc()];
  ours.getText('t').insert(0, 'durable');
  const written = (write: (encoder: Encoder) => void): Uint8Array => {
    const encoder = createEncoder();
    writeVarUint(encoder, 0);
    write(encoder);
    return toUint8Array(encoder);
  };
  const whole = Y.encodeStateAsUpdate(ours);
  assert.deepEqual(
    step1Body(Y.encodeStateVector(ours)),
    written((encoder) => writeSyncStep1(encoder, ours)),
  );
  assert.deepEqual(
    step2Body(whole),
    written((encoder) => writeSyncStep2(encoder, ours)),
  );
  assert.deepEqual(
    updateBody(whole),
    written((encoder) => writeUpdate(encoder, whole)),
  );
  const decoder = createDecoder(updateBody(whole));
  assert.equal(readVarUint(decoder), 0);
  readSyncMessage(decoder, createEncoder(), theirs, undefined);
  assert.equal(theirs.getText('t').toString(), 'durable');

  const awareness = new Awareness(theirs);
  const states = writeAwareness([{ yjsClient: 7, clock: 3, text: '{"name":"Ada"}' }]);
  const message = createDecoder(awarenessBody(states));
  assert.equal(readVarUint(message), 1);
  applyAwarenessUpdate(awareness, readVarUint8Array(message), undefined);
  assert.deepEqual(awareness.getStates().get(7), { name: 'Ada' });
  awareness.destroy();

  const denied = createDecoder(deniedBody('no right'));
  assert.equal(readVarUint(denied), 2);
  const reasons: string[] = [];
  readAuthMessage(denied, theirs, (_, reason) => reasons.push(reason));
  assert.deepEqual(reasons, ['no right']);
  assert.deepEqual(queryAwarenessBody(), Uint8Array.of(3));
});

test('the bodies of Hocuspocus have the types that its providers know', () => {
  const numbersAndText = (body: Uint8Array, numbers: number): (number | string)[] => {
    const decoder = createDecoder(body);
    const parts: (number | string)[] = [];
    for (let i = 0; i < numbers; i++) parts.push(readVarUint(decoder));
    if (hasContent(decoder)) parts.push(readVarString(decoder));
    assert.ok(!hasContent(decoder));
    return parts;
  };
  assert.deepEqual(numbersAndText(authenticatedBody(false), 2), [2, 2, 'read-write']);
  assert.deepEqual(numbersAndText(authenticatedBody(true), 2), [2, 2, 'readonly']);
  assert.deepEqual(numbersAndText(permissionDeniedBody('forbidden'), 2), [2, 1, 'forbidden']);
  assert.deepEqual(numbersAndText(tokenRequestBody(), 2), [2, 0]);
  assert.deepEqual(numbersAndText(statelessBody('hello'), 1), [5, 'hello']);
  assert.deepEqual(numbersAndText(closeBody('deleted'), 1), [7, 'deleted']);
  assert.deepEqual(numbersAndText(pongBody(), 1), [10]);
  for (const isSaved of [true, false]) {
    const decoder = createDecoder(syncStatusBody(isSaved));
    assert.equal(readVarUint(decoder), 8);
    // The providers read a signed number.
    assert.equal(readVarInt(decoder), isSaved ? 1 : 0);
  }
  const reader = new FrameReader(addressPart('acme/plan\0window-1'));
  assert.equal(reader.text(), 'acme/plan\0window-1');
});
