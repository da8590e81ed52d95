// The two encodings of Yjs updates. Stores hold either; everything else here works with v1.
import * as Y from 'yjs';

export const ENCODINGS = ['v1', 'v2'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** Bytes that are no update in v1 encoding, and are refused as such. */
const NO_UPDATE = new Uint8Array();

/** The parts of one document, which a store holds in one row or in many, as one update in v1 encoding. */
export function decode(parts: readonly Uint8Array[], encoding: Encoding): Uint8Array {
  const [first = NO_UPDATE, ...more] = parts;
  if (encoding === 'v1' && more.length === 0) return first;
  try {
    if (encoding === 'v1') return Y.mergeUpdates([first, ...more]);
    return Y.convertUpdateFormatV2ToV1(more.length === 0 ? first : Y.mergeUpdatesV2([first, ...more]));
  } catch {
    return NO_UPDATE;
  }
}

export const encode = (update: Uint8Array, encoding: Encoding): Uint8Array =>
  encoding === 'v1' ? update : Y.convertUpdateFormatV1ToV2(update);
