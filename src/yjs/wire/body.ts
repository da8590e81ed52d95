// The messages that both protocols of Yjs providers have. A message is its type, and the parts of that type behind it. A
// frame of y-websocket is such a body alone; in a frame of Hocuspocus the address of the document stands before it. So one body
// serves the readers of both protocols.
import { createEncoder, type Encoder, toUint8Array, writeVarString, writeVarUint } from 'lib0/encoding';
import { FrameError } from '../../../protocol/codec.ts';
import type { FrameReader } from './frame-reader.ts';

export const SYNC = 0;
export const AWARENESS = 1;
export const AUTH = 2;
export const QUERY_AWARENESS = 3;

const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;
const PERMISSION_DENIED_YWS = 0;

/** The types before the bytes of a message that many readers get: see `withBytes`. */
export const STEP_1_TYPES: readonly number[] = [SYNC, STEP_1];
export const STEP_2_TYPES: readonly number[] = [SYNC, STEP_2];
export const UPDATE_TYPES: readonly number[] = [SYNC, UPDATE];
export const AWARENESS_TYPES: readonly number[] = [AWARENESS];

/** A message that a client of either protocol may send. Its bytes are views of the frame. */
export type SharedMessage =
  /** Asks for everything that the document has beyond this state vector. */
  | { readonly type: 'step-1'; readonly stateVector: Uint8Array }
  /** The answer to the server's own step 1. */
  | { readonly type: 'step-2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  /** See `readAwareness`. */
  | { readonly type: 'awareness'; readonly update: Uint8Array }
  | { readonly type: 'query-awareness' };

/** Reads the rest of a message of a type that both protocols have. Undefined for other types. */
export function readShared(type: number, reader: FrameReader): SharedMessage | undefined {
  switch (type) {
    case SYNC:
      return readSync(reader);
    case AWARENESS:
      return { type: 'awareness', update: reader.bytes() };
    case QUERY_AWARENESS:
      return { type: 'query-awareness' };
    default:
      return undefined;
  }
}

function readSync(reader: FrameReader): SharedMessage {
  const step = reader.varUint();
  switch (step) {
    case STEP_1:
      return { type: 'step-1', stateVector: reader.bytes() };
    case STEP_2:
      return { type: 'step-2', update: reader.bytes() };
    case UPDATE:
      return { type: 'update', update: reader.bytes() };
    default:
      throw new FrameError(`an unknown sync message: ${step}`);
  }
}

/** Asks the client for everything that it has beyond this state vector. */
export const step1Body = (stateVector: Uint8Array): Uint8Array => withBytes(STEP_1_TYPES, stateVector);

/** Answers a client's step 1. */
export const step2Body = (update: Uint8Array): Uint8Array => withBytes(STEP_2_TYPES, update);

export const updateBody = (update: Uint8Array): Uint8Array => withBytes(UPDATE_TYPES, update);

/** `update`: as `writeAwareness` makes it. */
export const awarenessBody = (update: Uint8Array): Uint8Array => withBytes(AWARENESS_TYPES, update);

export const queryAwarenessBody = (): Uint8Array => Uint8Array.of(QUERY_AWARENESS);

/** Tells a client of y-websocket that it may not see the document. */
export const deniedBody = (reason: string): Uint8Array => withText([AUTH, PERMISSION_DENIED_YWS], reason);

/** The types, and a text behind them. */
export function withText(types: readonly number[], text: string): Uint8Array {
  const encoder = startOf(types);
  writeVarString(encoder, text);
  return toUint8Array(encoder);
}

/** The types, and bytes behind them. An encoder of lib0 would copy large bytes twice. */
function withBytes(types: readonly number[], bytes: Uint8Array): Uint8Array {
  const encoder = startOf(types);
  writeVarUint(encoder, bytes.length);
  const head = toUint8Array(encoder);
  const body = new Uint8Array(head.length + bytes.length);
  body.set(head);
  body.set(bytes, head.length);
  return body;
}

function startOf(types: readonly number[]): Encoder {
  const encoder = createEncoder();
  for (const type of types) writeVarUint(encoder, type);
  return encoder;
}
