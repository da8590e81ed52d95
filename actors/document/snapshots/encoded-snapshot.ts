// A snapshot of a document with its encodings for frames. All subscribers that open the document at one version share
// it, so that a large document is encoded once per subprotocol and copied for each of them.
import { parseJson } from '../../../protocol/json-text.ts';
import { packed } from '../../compute/snapshot-job.ts';
import {
  type FrameCodec,
  JSON_FRAMES,
  MSGPACK_FRAMES,
  type SubscriberCodec,
  UPDATES,
} from '../../link/link-messages.ts';

/** Reading a longer JSON text and writing it as MessagePack takes milliseconds. */
const LARGE = 64 * 1024;

export class EncodedSnapshot {
  /** The JSON text of the snapshot, or bytes for yjs. */
  readonly value: string | Uint8Array;
  readonly #encoded = new Map<FrameCodec, Uint8Array>();

  constructor(value: string | Uint8Array) {
    this.value = value;
  }

  get length(): number {
    return this.value.length;
  }

  /** Bytes in memory, the encodings included. */
  get memory(): number {
    let bytes = this.length;
    for (const encoded of this.#encoded.values()) bytes += encoded.length;
    return bytes;
  }

  /**
   * The JSON text to write as MessagePack on another thread before `in` is called for this codec. Undefined
   * if `in` takes no long time.
   */
  unpacked(codec: SubscriberCodec): Uint8Array | undefined {
    if (codec !== MSGPACK_FRAMES || typeof this.value !== 'string' || this.#encoded.has(codec))
      return undefined;
    return this.value.length < LARGE ? undefined : this.in(JSON_FRAMES);
  }

  /** Takes the text that `unpacked` has returned, as MessagePack. */
  adoptPacked(packed: Uint8Array): void {
    this.#encoded.set(MSGPACK_FRAMES, packed);
  }

  /** The snapshot as it stands in a frame, or the update itself. O(document) at the first call for a codec. The result must not be changed. */
  in(codec: SubscriberCodec): Uint8Array {
    if (codec === UPDATES) {
      if (typeof this.value === 'string') throw new Error('only yjs documents are sent as updates');
      return this.value;
    }
    let encoded = this.#encoded.get(codec);
    if (encoded === undefined) {
      encoded =
        codec === JSON_FRAMES
          ? asText(this.value)
          : packed(typeof this.value === 'string' ? parseJson(this.value) : this.value);
      this.#encoded.set(codec, encoded);
    }
    return encoded;
  }
}

const asText = (value: string | Uint8Array): Uint8Array =>
  typeof value === 'string'
    ? Buffer.from(value, 'utf8')
    : Buffer.from(
        `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"`,
        'latin1',
      );
