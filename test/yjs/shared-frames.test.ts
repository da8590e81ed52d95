// Frames for many readers are what the codecs and the WebSocket library read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { websocketFrame } from '../../protocol/websocket-frame.ts';
import { frameHead, SharedFrames } from '../../src/yjs/shared-frames.ts';
import { UPDATE_TYPES, updateBody } from '../../src/yjs/wire/body.ts';

test('frames for many readers have the same bytes as frames made one by one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }),
      fc.uint8Array({ maxLength: 20 }),
      (updates, part) => {
        const frames = new SharedFrames(UPDATE_TYPES, updates);
        const expected = updates.map((update) =>
          websocketFrame(Buffer.concat([part, updateBody(update)]), true),
        );
        assert.deepEqual(frames.framesFor({ key: 'a', part }), Buffer.concat(expected));
      },
    ),
  );
});

test('the head of a frame fits bytes that follow it, of every width of lengths', () => {
  for (const length of [0, 1, 120, 127, 128, 16_383, 16_384, 65_520, 70_000]) {
    const update = new Uint8Array(length).fill(7);
    const whole = Buffer.concat([frameHead(new Uint8Array(), UPDATE_TYPES, length), update]);
    assert.deepEqual(whole, Buffer.from(websocketFrame(updateBody(update), true)), `${length}`);
  }
});

test('frames are made once for each address', () => {
  const frames = new SharedFrames(UPDATE_TYPES, [Uint8Array.of(0, 0)]);
  const here = { key: '', part: new Uint8Array() };
  assert.equal(frames.framesFor(here), frames.framesFor(here));
  assert.notDeepEqual(frames.framesFor({ key: 'x', part: Uint8Array.of(1) }), frames.framesFor(here));
});
