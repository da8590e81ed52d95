// The frames by which Yjs clients join a document, in the protocol of y-websocket and in that of Hocuspocus, and the
// answers to them. They are written and read without a provider and without a Y.Doc.
import { createDecoder, readUint8, readVarString, readVarUint8Array } from 'lib0/decoding';
import { encode, writeVarString, writeVarUint, writeVarUint8Array } from 'lib0/encoding';

export interface JoiningWire {
  /** `origin`: URL of the node, such as `ws://127.0.0.1:8080`. */
  urlFor(origin: string, doc: string): string;
  /** Asks for what a client with this state vector lacks. */
  join(doc: string, vector: Uint8Array): readonly Uint8Array[];
  update(doc: string, update: Uint8Array): Uint8Array;
  /** The part of a frame that is about the content. Undefined: the frame is about something else. */
  hear(frame: Uint8Array): Heard | undefined;
}

export interface Heard {
  readonly isStep2: boolean;
  readonly update: Uint8Array;
}

/** Types of messages and of sync messages. */
const SYNC = 0;
const AUTH = 2;
const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;

/** `doc`: the address before the message. y-websocket has none. */
function sync(doc: string | undefined, type: number, bytes: Uint8Array): Uint8Array {
  return encode((encoder) => {
    if (doc !== undefined) writeVarString(encoder, doc);
    writeVarUint(encoder, SYNC);
    writeVarUint(encoder, type);
    writeVarUint8Array(encoder, bytes);
  });
}

function hear(frame: Uint8Array, hasAddress: boolean): Heard | undefined {
  const decoder = createDecoder(frame);
  if (hasAddress) readVarString(decoder);
  if (readUint8(decoder) !== SYNC) return undefined;
  const type = readUint8(decoder);
  if (type !== STEP_2 && type !== UPDATE) return undefined;
  return { isStep2: type === STEP_2, update: readVarUint8Array(decoder) };
}

const yWebsocket: JoiningWire = {
  urlFor: (origin, doc) => `${origin}/yjs/${doc}`,
  join: (_doc, vector) => [sync(undefined, STEP_1, vector)],
  update: (_doc, update) => sync(undefined, UPDATE, update),
  hear: (frame) => hear(frame, false),
};

const hocuspocus: JoiningWire = {
  urlFor: (origin) => `${origin}/hocuspocus`,
  join: (doc, vector) => [
    encode((encoder) => {
      writeVarString(encoder, doc);
      writeVarUint(encoder, AUTH);
      writeVarUint(encoder, 0);
      writeVarString(encoder, '');
    }),
    sync(doc, STEP_1, vector),
  ],
  update: (doc, update) => sync(doc, UPDATE, update),
  hear: (frame) => hear(frame, true),
};

export const JOINING_WIRES = { 'y-websocket': yWebsocket, hocuspocus } as const;
export type JoiningWireName = keyof typeof JOINING_WIRES;
