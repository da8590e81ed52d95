// Cuts the patch out of the frame of a submit, without decoding the patch. The owner of the document decodes it,
// once. The scan proves that the frame would decode, and that the patch has only values that the contract allows.
// A frame for which the scan cannot prove that is decoded as a whole, as every other message is.
//
// Bounds: the scan reads each byte once, allocates nothing for the patch, and stops at `depth` levels.
import {
  JSON_OP,
  LOOSE_JSON_OP,
  MSGPACK_OP,
  type OpEncoding,
  UPDATE_OP,
} from '../../../actors/link/link-messages.ts';
import { MsgpackWalk } from '../../../protocol/msgpack-check.ts';
import { CLOSING_BRACE, COLON, COMMA, JsonScan, named, OPENING_BRACE } from './json-scan.ts';

/** The patch of a submit as bytes of its frame, in the place of a decoded `op`. */
export class CutPatch {
  readonly encoding: OpEncoding;
  readonly bytes: Uint8Array;

  constructor(encoding: OpEncoding, bytes: Uint8Array) {
    this.encoding = encoding;
    this.bytes = bytes;
  }
}

/** A submit that was not decoded as a whole. */
export type SubmitFrame = {
  readonly type: 'submit';
  readonly doc: string;
  readonly seq: number;
  readonly base: number | null | undefined;
  readonly op: CutPatch;
};

/**
 * Reads a submit from a text frame of valid UTF-8. Undefined if the frame is anything else, or if it must be
 * decoded as a whole.
 * @param depth levels that the patch may nest
 */
export function cutJsonSubmit(frame: Uint8Array, depth: number): SubmitFrame | undefined {
  const scan = new JsonScan(frame);
  if (!scan.takes(OPENING_BRACE)) return undefined;
  const found = new Members();
  do {
    const member = scan.memberName(NAMES);
    if (member === undefined || !scan.takes(COLON)) return undefined;
    scan.skipSpace();
    switch (member) {
      case 'type':
        if (scan.plainText() !== 'submit') return undefined;
        found.type++;
        break;
      case 'doc':
        found.doc = found.isFirst(found.doc) ? scan.plainText() : undefined;
        if (found.doc === undefined) return undefined;
        break;
      case 'seq':
        found.seq = found.isFirst(found.seq) ? scan.natural() : undefined;
        if (found.seq === undefined) return undefined;
        break;
      case 'base':
        found.base = found.isFirst(found.base) ? (scan.takesNull() ? null : scan.natural()) : undefined;
        if (found.base === undefined) return undefined;
        break;
      case 'op': {
        if (!found.isFirst(found.op)) return undefined;
        const start = scan.at;
        scan.isLoose = false;
        if (!scan.value(depth)) return undefined;
        found.op = new CutPatch(scan.isLoose ? LOOSE_JSON_OP : JSON_OP, frame.subarray(start, scan.at));
        break;
      }
      default:
        throw new Error(member satisfies never);
    }
  } while (scan.takes(COMMA));
  if (!scan.takes(CLOSING_BRACE) || !scan.isAtEnd()) return undefined;
  return found.submit();
}

/**
 * Does the same for a binary frame in MessagePack. The bytes of a yjs update are cut out without their header.
 */
export function cutMsgpackSubmit(frame: Uint8Array, depth: number): SubmitFrame | undefined {
  const walk = new MsgpackWalk(frame);
  const count = walk.mapHeader();
  if (count === undefined) return undefined;
  const found = new Members();
  for (let i = 0; i < count; i++) {
    switch (walk.shortText()) {
      case 'type':
        if (walk.shortText() !== 'submit') return undefined;
        found.type++;
        break;
      case 'doc':
        found.doc = found.isFirst(found.doc) ? walk.shortText() : undefined;
        if (found.doc === undefined) return undefined;
        break;
      case 'seq':
        found.seq = found.isFirst(found.seq) ? walk.natural() : undefined;
        if (found.seq === undefined) return undefined;
        break;
      case 'base':
        found.base = found.isFirst(found.base) ? (walk.takesNil() ? null : walk.natural()) : undefined;
        if (found.base === undefined) return undefined;
        break;
      case 'op': {
        if (!found.isFirst(found.op)) return undefined;
        found.op = cutMsgpackOp(walk, depth);
        if (found.op === undefined) return undefined;
        break;
      }
      default:
        return undefined;
    }
  }
  return walk.at === frame.length ? found.submit() : undefined;
}

function cutMsgpackOp(walk: MsgpackWalk, depth: number): CutPatch | undefined {
  const { bytes, at: start } = walk;
  const first = bytes[start] ?? 0;
  // In this subprotocol a text is never a patch, and the answer to it says why.
  if ((first >= 0xa0 && first <= 0xbf) || (first >= 0xd9 && first <= 0xdb)) return undefined;
  if (walk.value(depth) !== undefined) return undefined;
  if (first >= 0xc4 && first <= 0xc6)
    return new CutPatch(UPDATE_OP, bytes.subarray(start + 1 + (1 << (first - 0xc4)), walk.at));
  if (walk.protoKey || walk.badText || walk.hasOddNumber || walk.hasBytes) return undefined;
  return new CutPatch(MSGPACK_OP, bytes.subarray(start, walk.at));
}

/** The members that were found so far, each at most once. */
class Members {
  type = 0;
  doc: string | undefined;
  seq: number | undefined;
  base: number | null | undefined;
  op: CutPatch | undefined;

  isFirst(value: unknown): boolean {
    return value === undefined;
  }

  submit(): SubmitFrame | undefined {
    const { type, doc, seq, base, op } = this;
    if (type !== 1 || doc === undefined || seq === undefined || op === undefined) return undefined;
    return { type: 'submit', doc, seq, base, op };
  }
}

const NAMES = named('type', 'doc', 'seq', 'base', 'op');
