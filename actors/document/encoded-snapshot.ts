// A snapshot of a document with its encodings for frames. All subscribers that open the document at one version share
// it, so that a large document is encoded once per subprotocol and copied for each of them.
import { Packr } from 'msgpackr';
import { parseJson } from '../../protocol/json-text.ts';
import { type FrameCodec, JSON_FRAMES } from '../link/link-messages.ts';

export class EncodedSnapshot {
  /** The JSON text of the snapshot, or bytes for yjs. */
  readonly value: string | Uint8Array;
  private readonly encoded = new Map<FrameCodec, Uint8Array>();

  constructor(value: string | Uint8Array) {
    this.value = value;
  }

  get length(): number {
    return this.value.length;
  }

  /** Bytes in memory, the encodings included. */
  get memory(): number {
    let bytes = this.length;
    for (const encoded of this.encoded.values()) bytes += encoded.length;
    return bytes;
  }

  /** The snapshot as it stands in a frame. O(document) at the first call for a codec. The result must not be changed. */
  in(codec: FrameCodec): Uint8Array {
    let encoded = this.encoded.get(codec);
    if (encoded === undefined) {
      encoded = codec === JSON_FRAMES ? asText(this.value) : packed(this.value);
      this.encoded.set(codec, encoded);
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

/** A Packr of its own for each snapshot: it keeps the buffer that it has grown to. */
const packed = (value: string | Uint8Array): Uint8Array =>
  new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true }).pack(
    typeof value === 'string' ? parseJson(value) : value,
  );
