// Frames survive any cutting of the byte stream, and are bounded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, FrameReader, HEADER_BYTES } from '../../../cluster/peer/frames.ts';
import type { Frame } from '../../../cluster/peer/wire.ts';

const frames: readonly Frame[] = [0, 1, 17, 5000, 0].map((length, i) => ({
  type: i + 1,
  stream: 0xffff_fff0 + i,
  payload: new Uint8Array(length).fill(i + 1),
}));
const bytes = Buffer.concat(
  frames.flatMap(({ type, stream, payload }) => encodeFrame(type, stream, payload)),
);

test('whatever the chunks, the frames are the same, each in a buffer of its own', () => {
  for (const size of [1, 2, 3, HEADER_BYTES, 10, 100, 4999, bytes.length]) {
    const got: Frame[] = [];
    const reader = new FrameReader(5000, (frame) => got.push(frame));
    for (let at = 0; at < bytes.length; at += size)
      assert.equal(reader.push(bytes.subarray(at, at + size)), true);
    assert.deepEqual(got, frames);
    for (const { payload } of got) assert.equal(payload.buffer.byteLength, payload.length);
  }
});

test('a frame above the limit is refused by its header alone; the limit may change between frames', () => {
  const got: Frame[] = [];
  const reader = new FrameReader(17, (frame) => got.push(frame));
  assert.equal(reader.push(bytes.subarray(0, bytes.length - 5000)), false);
  assert.equal(got.length, 3);
  const raised = new FrameReader(17, (frame) => {
    if (frame.type === 3) raised.limit = 5000;
  });
  assert.equal(raised.push(bytes), true);
});
