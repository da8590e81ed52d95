// The size of a patch, as `limits.opBytes` counts it.
import { JSON_OP, LOOSE_JSON_OP } from '../../../actors/link/link-messages.ts';
import { base64Size } from '../../../protocol/base64.ts';
import type { CutPatch } from './submit-frame.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** True if the patch has more bytes. Of an update that is written as base64 its own bytes count. */
export function isPatchLarger({ encoding, bytes }: CutPatch, limit: number): boolean {
  if (bytes.length <= limit) return false;
  if ((encoding !== JSON_OP && encoding !== LOOSE_JSON_OP) || bytes[0] !== QUOTE) return true;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  // Some encoders write `/` as `\/`.
  const isEscaped = bytes.includes(BACKSLASH);
  return base64Size(isEscaped ? (JSON.parse(text) as string) : text.slice(1, -1)) > limit;
}
