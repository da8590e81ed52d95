// The messages that the readers of the presence run send and receive: over `/v1/socket`, or over `/yjs` as clients of y-websocket. All states have
// the same length, so most readers count the states of a frame without reading them.
import { createDecoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding';
import { encode, writeVarString, writeVarUint, writeVarUint8Array } from 'lib0/encoding';
import * as Y from 'yjs';
import { jsonCodec } from '../../protocol/codec.ts';

export type Frame = string | Uint8Array;

/** A state that a reader got: the mover, and the number of its move. */
export type Move = readonly [mover: number, number: number];

export interface PresenceWire {
  readonly subprotocol: string | undefined;
  /** `url`: that of the socket of the contract. */
  urlFor(url: string, doc: string): string;
  begin(reader: number, doc: string): readonly Frame[];
  move(reader: number, number: number, doc: string): Frame;
  /** The meaning of a frame. Undefined: none for this run. */
  hear(frame: Buffer): 'opened' | 'presence' | { readonly error: string } | undefined;
  /** How many states a frame has. NaN if its length is not one that frames have. */
  count(frame: Buffer, doc: string): number;
  read(frame: Buffer): readonly Move[];
  /** Whether a reader gets its own states, too. */
  readonly hasOwn: boolean;
}

type State = readonly [client: string, data: { readonly at: string; readonly name: string; color: string }];

/** A cursor as editors have it, of the same length for every client and number. */
function stateOf(reader: number, number: number): State {
  const client = String(reader).padStart(6, '0');
  return [
    `presence-${client}`,
    { at: String(number).padStart(8, '0'), name: `Reader ${client}`, color: '#4078c0' },
  ];
}

const frameOf = (doc: string, states: readonly State[]): string =>
  JSON.stringify({ type: 'presence', doc, states: Object.fromEntries(states) });

const contract: PresenceWire = {
  subprotocol: jsonCodec.subprotocol,
  hasOwn: false,
  urlFor: (url) => url,
  begin: (reader, doc) => [
    jsonCodec.encode({ type: 'hello', client: stateOf(reader, 0)[0] }),
    jsonCodec.encode({ type: 'open', doc, kind: 'json' }),
  ],
  move: (reader, number, doc) =>
    jsonCodec.encode({ type: 'presence', doc, data: stateOf(reader, number)[1] }),
  hear: (frame) => {
    const head = frame.toString('latin1', 0, 20);
    if (head.startsWith('{"type":"opened"')) return 'opened';
    if (head.startsWith('{"type":"error"')) return { error: frame.toString() };
    return head.startsWith('{"type":"presence"') ? 'presence' : undefined;
  },
  count: (frame, doc) => {
    const around = frameOf(doc, []).length;
    const each = frameOf(doc, [stateOf(0, 0)]).length - around;
    // The states have commas between them.
    const states = (frame.length - around + 1) / (each + 1);
    return Number.isInteger(states) ? states : Number.NaN;
  },
  read: (frame) => {
    const { states } = JSON.parse(frame.toString()) as { states: Record<string, { at: string }> };
    return Object.entries(states).map(([client, { at }]) => [
      Number(client.slice('presence-'.length)),
      Number(at),
    ]);
  },
};

/** The clientID of a reader. */
const FIRST_YJS_CLIENT = 1_000_000;
/** Types of messages, and of sync messages, as y-protocols numbers them. */
const SYNC = 0;
const AWARENESS = 1;
const STEP_1 = 0;
const STEP_2 = 1;

const yWebsocket: PresenceWire = {
  subprotocol: undefined,
  hasOwn: true,
  urlFor: (url, doc) => new URL(`/yjs/${doc}`, url).href,
  begin: () => [
    encode((encoder) => {
      writeVarUint(encoder, SYNC);
      writeVarUint(encoder, STEP_1);
      writeVarUint8Array(encoder, Y.encodeStateVector(new Y.Doc()));
    }),
  ],
  move: (reader, number) => {
    const update = encode((encoder) => {
      writeVarUint(encoder, 1);
      writeVarUint(encoder, FIRST_YJS_CLIENT + reader);
      writeVarUint(encoder, number);
      writeVarString(encoder, JSON.stringify(stateOf(reader, number)[1]));
    });
    return encode((encoder) => {
      writeVarUint(encoder, AWARENESS);
      writeVarUint8Array(encoder, update);
    });
  },
  hear: (frame) => {
    if (frame[0] === SYNC) return frame[1] === STEP_2 ? 'opened' : undefined;
    return frame[0] === AWARENESS ? 'presence' : { error: `message type ${frame[0]}` };
  },
  count: (frame) => readVarUint(statesIn(frame)),
  read: (frame) => {
    const states = statesIn(frame);
    return Array.from({ length: readVarUint(states) }, (): Move => {
      const mover = readVarUint(states) - FIRST_YJS_CLIENT;
      const number = readVarUint(states);
      readVarString(states);
      return [mover, number];
    });
  },
};

function statesIn(frame: Uint8Array): ReturnType<typeof createDecoder> {
  const decoder = createDecoder(frame);
  readVarUint(decoder);
  return createDecoder(readVarUint8Array(decoder));
}

export const PRESENCE_WIRES = { contract, 'y-websocket': yWebsocket } as const;
export type PresenceWireName = keyof typeof PRESENCE_WIRES;
