// The frames of Hocuspocus's providers. A frame holds the address of a document and one message about it. The address is the
// document's name; providers of version 4 may put a session behind it, and answers carry the address as it came.
import { createEncoder, toUint8Array, writeVarString, writeVarUint } from 'lib0/encoding';
import { FrameError } from '../../../protocol/codec.ts';
import { AUTH, readShared, type SharedMessage, withText } from './body.ts';
import { FrameReader } from './frame-reader.ts';

const STATELESS = 5;
/** The type before a stateless message, whose text is its bytes. */
export const STATELESS_TYPES: readonly number[] = [STATELESS];
const CLOSE = 7;
const SYNC_STATUS = 8;
const PING = 9;
const PONG = 10;

const TOKEN = 0;
const PERMISSION_DENIED = 1;
const AUTHENTICATED = 2;

/** Stands between the name of a document and the session. */
const SEPARATOR = '\0';
/** The most bytes of an address: the longest name of a document, and a session of up to as much. */
const ADDRESS_BYTES = 600;
const VERSION_BYTES = 64;

export type HocuspocusMessage =
  | SharedMessage
  /** `version`: the version of the provider, if it tells one. */
  | { readonly type: 'token'; readonly token: string; readonly version: string | undefined }
  | { readonly type: 'stateless'; readonly payload: string }
  | { readonly type: 'close' }
  | { readonly type: 'ping' }
  | { readonly type: 'pong' };

export interface HocuspocusFrame {
  /** The address as it came. It may be no valid name of a document. Empty for a message about the socket. */
  readonly address: string;
  /** The part of the address that names the document. */
  readonly document: string;
  readonly message: HocuspocusMessage;
}

export interface HocuspocusBounds {
  readonly tokenBytes: number;
  readonly statelessBytes: number;
}

/** Frames of one byte, without an address. */
const SOCKET_MESSAGES: ReadonlyMap<number | undefined, HocuspocusFrame> = new Map([
  [PING, { address: '', document: '', message: { type: 'ping' } }],
  [PONG, { address: '', document: '', message: { type: 'pong' } }],
]);

/** Reads a frame of a client. Throws FrameError. The bytes of the message are views of the frame. */
export function readHocuspocus(frame: Uint8Array, bounds: HocuspocusBounds): HocuspocusFrame {
  const aboutSocket = frame.length === 1 ? SOCKET_MESSAGES.get(frame[0]) : undefined;
  if (aboutSocket !== undefined) return aboutSocket;
  const reader = new FrameReader(frame);
  const address = reader.text(ADDRESS_BYTES);
  const end = address.indexOf(SEPARATOR);
  const message = readMessage(reader, bounds);
  reader.end();
  return { address, document: end < 0 ? address : address.slice(0, end), message };
}

function readMessage(
  reader: FrameReader,
  { tokenBytes, statelessBytes }: HocuspocusBounds,
): HocuspocusMessage {
  const type = reader.varUint();
  switch (type) {
    case AUTH: {
      const kind = reader.varUint();
      if (kind !== TOKEN) throw new FrameError(`an unknown auth message: ${kind}`);
      const token = reader.text(tokenBytes);
      return { type: 'token', token, version: reader.hasMore ? reader.text(VERSION_BYTES) : undefined };
    }
    case STATELESS:
      return { type: 'stateless', payload: reader.text(statelessBytes) };
    case CLOSE:
      return { type: 'close' };
    case PING:
      return { type: 'ping' };
    case PONG:
      return { type: 'pong' };
    default: {
      const message = readShared(type, reader);
      if (message === undefined) throw new FrameError(`an unknown message type: ${type}`);
      return message;
    }
  }
}

/** The address as it stands before each body that is sent to a provider. */
export function addressPart(address: string): Uint8Array {
  const encoder = createEncoder();
  writeVarString(encoder, address);
  return toUint8Array(encoder);
}

/** The client may open the document. */
export const authenticatedBody = (isReadOnly: boolean): Uint8Array =>
  withText([AUTH, AUTHENTICATED], isReadOnly ? 'readonly' : 'read-write');

export const permissionDeniedBody = (reason: string): Uint8Array =>
  withText([AUTH, PERMISSION_DENIED], reason);

/** Asks the provider to show its token again. */
export const tokenRequestBody = (): Uint8Array => Uint8Array.of(AUTH, TOKEN);

export const statelessBody = (payload: string): Uint8Array => withText([STATELESS], payload);

/** The document is closed for this provider. */
export const closeBody = (reason: string): Uint8Array => withText([CLOSE], reason);

/** Answers one step 2 or update: everything in it is durable, or it was refused. */
export function syncStatusBody(isSaved: boolean): Uint8Array {
  const encoder = createEncoder();
  writeVarUint(encoder, SYNC_STATUS);
  writeVarUint(encoder, isSaved ? 1 : 0);
  return toUint8Array(encoder);
}

export const pongBody = (): Uint8Array => Uint8Array.of(PONG);
