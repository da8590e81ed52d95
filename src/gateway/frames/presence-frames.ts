// The `presence` frames of one tick of a document. All states are encoded once per subprotocol, in one row of bytes. The
// frame of a reader is a copy of that row without the reader's own state.
import { Packr } from 'msgpackr';
import { stateText } from '../../../actors/link/presence-text.ts';
import type { Codec } from '../../../protocol/codec.ts';
import { parseJson } from '../../../protocol/json-text.ts';
import { headerLength, writeHeader } from '../../../protocol/websocket-frame.ts';

/** All entries of `states`, one behind the other. An entry in JSON begins with a comma. */
interface Row {
  readonly bytes: Uint8Array;
  readonly places: ReadonlyMap<string, { readonly start: number; readonly end: number }>;
}

const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true });
const JSON_END = Buffer.from('}}');
const NOWHERE = { start: 0, end: 0 };

export class PresenceFrames {
  readonly #doc: string;
  readonly #states: ReadonlyMap<string, string | null>;
  readonly #rows = new Map<Codec, Row>();
  /** The frames of readers that have not moved. */
  readonly #whole = new Map<Codec, Uint8Array>();

  /** @param states client, JSON text of its state or null for a client that has left, client, … */
  constructor(doc: string, states: readonly (string | null)[]) {
    this.#doc = doc;
    const all = new Map<string, string | null>();
    for (let at = 0; at < states.length; at += 2) all.set(states[at] ?? '', states[at + 1] ?? null);
    this.#states = all;
  }

  /** The frame for a reader. Undefined if no client but the reader itself has moved. */
  frameFor(codec: Codec, reader: string | undefined): Uint8Array | undefined {
    if (reader !== undefined && this.#states.has(reader))
      return this.#states.size === 1 ? undefined : this.#frame(codec, reader);
    let frame = this.#whole.get(codec);
    if (frame === undefined) {
      frame = this.#frame(codec, undefined);
      this.#whole.set(codec, frame);
    }
    return frame;
  }

  #frame(codec: Codec, reader: string | undefined): Uint8Array {
    const { bytes, places } = this.#rowIn(codec);
    const own = reader === undefined ? undefined : places.get(reader);
    const { start, end } = own ?? NOWHERE;
    const entries = this.#states.size - (own === undefined ? 0 : 1);
    const { head, tail } = codec.binary ? packedMessage(this.#doc, entries) : textMessage(this.#doc);
    // The comma before the first entry is left out.
    const first = codec.binary ? 0 : 1;
    const parts =
      start === 0
        ? [head, bytes.subarray(end + first), tail]
        : [head, bytes.subarray(first, start), bytes.subarray(end), tail];
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const frame = Buffer.allocUnsafe(headerLength(length) + length);
    let at = writeHeader(frame, 0, length, codec.binary);
    for (const part of parts) {
      frame.set(part, at);
      at += part.length;
    }
    return frame;
  }

  #rowIn(codec: Codec): Row {
    const known = this.#rows.get(codec);
    if (known !== undefined) return known;
    const entries: Uint8Array[] = [];
    const places = new Map<string, { start: number; end: number }>();
    let start = 0;
    for (const [client, text] of this.#states) {
      const entry = codec.binary
        ? packedEntry(client, text)
        : Buffer.from(`,"${client}":${text && stateText(text)}`, 'utf8');
      entries.push(entry);
      places.set(client, { start, end: start + entry.length });
      start += entry.length;
    }
    const row = { bytes: Buffer.concat(entries), places };
    this.#rows.set(codec, row);
    return row;
  }
}

/** The message around the entries of `states`. Names of documents are of an alphabet that JSON does not escape. */
const textMessage = (doc: string): { head: Uint8Array; tail: Uint8Array } => ({
  head: Buffer.from(`{"type":"presence","doc":"${doc}","states":{`),
  tail: JSON_END,
});

function packedMessage(doc: string, entries: number): { head: Uint8Array; tail: Uint8Array } {
  const fields = ['type', 'presence', 'doc', doc, 'states'].map((text) => copyOf(packr.pack(text)));
  return {
    head: Buffer.concat([Uint8Array.of(0x83), ...fields, mapHeader(entries)]),
    tail: new Uint8Array(),
  };
}

const packedEntry = (client: string, text: string | null): Uint8Array =>
  Buffer.concat([copyOf(packr.pack(client)), packr.pack(text === null ? null : parseJson(stateText(text)))]);

/** A Packr writes into the same buffer again. */
const copyOf = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);

/** MessagePack's header of a map: fixmap or map 16. */
const mapHeader = (entries: number): Uint8Array =>
  entries < 16 ? Uint8Array.of(0x80 + entries) : Uint8Array.of(0xde, entries >> 8, entries & 0xff);
