// The header of an unmasked, unfragmented server-to-client WebSocket frame (RFC 6455 section 5.2). The code
// that makes a message also makes its frame, once, and every socket gets the same bytes.

const FIN_TEXT = 0x81;
const FIN_BINARY = 0x82;

export const headerLength = (payloadBytes: number): number =>
  payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10;

/** Writes the header at `at`. Returns the index at which the payload begins. */
export function writeHeader(into: Uint8Array, at: number, payloadBytes: number, binary: boolean): number {
  into[at] = binary ? FIN_BINARY : FIN_TEXT;
  if (payloadBytes < 126) {
    into[at + 1] = payloadBytes;
    return at + 2;
  }
  if (payloadBytes < 65_536) {
    into[at + 1] = 126;
    into[at + 2] = payloadBytes >>> 8;
    into[at + 3] = payloadBytes & 0xff;
    return at + 4;
  }
  into[at + 1] = 127;
  const high = Math.floor(payloadBytes / 0x1_0000_0000);
  for (let i = 0; i < 4; i++) {
    into[at + 2 + i] = (high >>> (24 - 8 * i)) & 0xff;
    into[at + 6 + i] = (payloadBytes >>> (24 - 8 * i)) & 0xff;
  }
  return at + 10;
}

/** A whole frame around a payload. */
export function websocketFrame(payload: Uint8Array, binary: boolean): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(headerLength(payload.length) + payload.length);
  frame.set(payload, writeHeader(frame, 0, payload.length, binary));
  return frame;
}
