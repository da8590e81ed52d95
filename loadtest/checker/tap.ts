// A WebSocket constructor for the SDK that passes every frame to a recorder, so that the checker judges by
// the frames and not by the SDK's own reports. Changes no frame.
import { type RawData, WebSocket } from 'ws';
import type { WebSocketConstructor } from '../../client/platform.ts';
import { jsonCodec, msgpackCodec } from '../../protocol/codec.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { SUBPROTOCOL_MSGPACK } from '../../protocol/messages.ts';
import { readServerMessage } from '../clients/server-message.ts';
import type { Recorder } from './records.ts';

/** The constructor, and a function that cuts its open sockets as a lost network does. */
export interface Tap {
  readonly webSocket: WebSocketConstructor;
  drop(): void;
}

export function tap(recorder: Recorder): Tap {
  let open: WebSocket | undefined;
  class TappedWebSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 });
      // The SDK has one socket at a time. A socket that it has left may still close or receive frames after
      // the next one has opened.
      if (open !== undefined) recorder.lost();
      open = this;
      this.on('message', (data, isBinary) => {
        if (open === this) received(recorder, bytesOf(data), isBinary);
      });
      this.on('close', () => {
        if (open !== this) return;
        open = undefined;
        recorder.lost();
      });
    }

    override send(data: string | Uint8Array<ArrayBuffer>): void {
      const codec = this.protocol === SUBPROTOCOL_MSGPACK ? msgpackCodec : jsonCodec;
      recorder.sent(codec.decode(data) as object as ClientMessage);
      super.send(data);
    }
  }
  return { webSocket: TappedWebSocket as WebSocketConstructor, drop: () => open?.terminate() };
}

const UTF8 = new TextDecoder();

/** The bytes of a frame, in every form that the SDK's `binaryType` gives it. */
function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

function received(recorder: Recorder, data: Uint8Array, isBinary: boolean): void {
  try {
    const map = (isBinary ? msgpackCodec : jsonCodec).decode(isBinary ? data : UTF8.decode(data));
    const message = readServerMessage(map);
    if (message !== undefined) recorder.received(message);
  } catch (error) {
    recorder.malformed(error instanceof Error ? error.message : String(error));
  }
}
