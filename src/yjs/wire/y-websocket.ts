// The frames of y-websocket's clients. A frame holds one message, and the path of the socket names its document.
import { FrameError } from '../../../protocol/codec.ts';
import { readShared, type SharedMessage } from './body.ts';
import { FrameReader } from './frame-reader.ts';

/** Reads a frame of a client. Throws FrameError. The bytes of the message are views of the frame. */
export function readYWebsocket(frame: Uint8Array): SharedMessage {
  const reader = new FrameReader(frame);
  const type = reader.varUint();
  const message = readShared(type, reader);
  if (message === undefined) throw new FrameError(`an unknown message type: ${type}`);
  reader.end();
  return message;
}
