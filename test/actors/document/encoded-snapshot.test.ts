// The encodings of a snapshot for frames: each is made once, and a frame around it carries the snapshot.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EncodedSnapshot } from '../../../actors/document/snapshots/encoded-snapshot.ts';
import { type OpenedHead, openedSnapshot } from '../../../actors/document/subscribers/frames.ts';
import { JSON_FRAMES, MSGPACK_FRAMES } from '../../../actors/link/link-messages.ts';
import { jsonCodec, msgpackCodec, wireBytes } from '../../../protocol/codec.ts';

const HEAD: OpenedHead = {
  doc: 'acme/plan',
  kind: 'json',
  history: '1',
  version: 3,
  role: 'owner',
  lastSeq: 2,
  presence: new Map([['other', '{"at":1}']]),
  client: 'reader',
};

/** The message of a frame. */
function messageIn(frame: Uint8Array, isBinary: boolean): Record<string, unknown> {
  const length = (frame[1] ?? 0) & 0x7f;
  const payload = frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10);
  return isBinary ? msgpackCodec.decode(payload) : jsonCodec.decode(Buffer.from(payload).toString('utf8'));
}

for (const [codec, isBinary] of [
  [JSON_FRAMES, false],
  [MSGPACK_FRAMES, true],
] as const) {
  test(`OPEN-3 a snapshot is encoded once and comes whole, ${isBinary ? 'msgpack' : 'json'}`, () => {
    for (const value of [
      {},
      { text: 'é€😀"\\\n' },
      { list: Array.from({ length: 30_000 }, (_, at) => at) },
    ]) {
      const snapshot = new EncodedSnapshot(JSON.stringify(value));
      assert.equal(snapshot.in(codec), snapshot.in(codec));
      const { presence, snapshot: got, version } = messageIn(openedSnapshot(codec, HEAD, snapshot), isBinary);
      assert.deepEqual([presence, got, version], [{ other: { at: 1 } }, value, 3]);
    }
  });

  test(`OPEN-3 the bytes of a yjs snapshot come whole, ${isBinary ? 'msgpack' : 'json'}`, () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => at % 256);
    const message = messageIn(
      openedSnapshot(codec, { ...HEAD, kind: 'yjs' }, new EncodedSnapshot(bytes)),
      isBinary,
    );
    assert.deepEqual(Buffer.from(wireBytes(message.snapshot) ?? []), Buffer.from(bytes));
  });
}
