// The frames of one tick of presence: each reader gets the states of the others, in its subprotocol.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Codec, jsonCodec, msgpackCodec } from '../../../protocol/codec.ts';
import { PresenceFrames } from '../../../src/gateway/frames/presence-frames.ts';

const STATES = [1, 15, 16, 17, 64, 300].map((count) =>
  Array.from(
    { length: count },
    (_, at) =>
      [
        `client-${at}`,
        at % 5 === 4
          ? null
          : { name: `Name ${at} é€😀`, at: [at, 1.5, -1, 2 ** 40], nested: { empty: {}, none: null } },
      ] as const,
  ),
);

/** The message that a frame carries. */
function messageIn(codec: Codec, frame: Uint8Array | undefined): unknown {
  assert.ok(frame !== undefined);
  const length = (frame[1] ?? 0) & 0x7f;
  const start = length < 126 ? 2 : length === 126 ? 4 : 10;
  assert.equal(frame[0], codec.binary ? 0x82 : 0x81);
  const payload = frame.subarray(start);
  return codec.decode(codec.binary ? payload : Buffer.from(payload).toString('utf8'));
}

for (const codec of [jsonCodec, msgpackCodec])
  test(`PRES-3 a reader gets the states of the others alone, ${codec.subprotocol}`, () => {
    for (const states of STATES) {
      const flat = states.flatMap(([client, data]) => [client, data === null ? null : JSON.stringify(data)]);
      const frames = new PresenceFrames('acme/plan', flat);
      for (const reader of ['reader', undefined, 'client-0', 'client-4', 'client-0']) {
        const others = states.filter(([client]) => client !== reader);
        const frame = frames.frameFor(codec, reader);
        if (others.length === 0) assert.equal(frame, undefined);
        else
          assert.deepEqual(messageIn(codec, frame), {
            type: 'presence',
            doc: 'acme/plan',
            states: Object.fromEntries(others),
          });
      }
    }
  });

test('readers that have not moved share one frame for each subprotocol', () => {
  const frames = new PresenceFrames('acme/plan', ['a', '1', 'b', '2']);
  for (const codec of [jsonCodec, msgpackCodec])
    assert.equal(frames.frameFor(codec, 'c'), frames.frameFor(codec, 'd'));
});
