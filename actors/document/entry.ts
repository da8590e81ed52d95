// A committed patch as the actor keeps it, and its forms: on the link, in the log and in frames.
import type { DocumentKind } from '../../kinds/kind.ts';
import { unpackValue } from '../../protocol/codec.ts';
import { parseJson } from '../../protocol/json-text.ts';
import type { KindName, Wire } from '../../protocol/messages.ts';
import { CHECK_OP, JSON_OP, type LinkOp, MSGPACK_OP, SYNC_OP, UPDATE_OP } from '../link/link-messages.ts';
import type { StoredDelta } from '../storage/store.ts';

/** Any kind. The actor never looks inside a state or a patch. */
export type AnyKind = DocumentKind<unknown, unknown, unknown>;

/** It has `op`, `stored` or both. */
export interface Entry {
  readonly version: number;
  readonly client: string;
  readonly seq: number;
  /** Bytes in the log. */
  readonly size: number;
  /** The patch in the kind's working form. Undefined if it is read again from `stored` when needed. */
  readonly op: unknown;
  /**
   * The form of the log. Undefined if no frame has needed it since the patch is durable; it is made again from `op`
   * then, once, since many clients that come back may need it.
   */
  stored: Uint8Array | undefined;
}

/**
 * A patch of more bytes is kept in its form of the log: its working form has many objects and may take many
 * times the memory.
 */
const LARGE_BYTES = 1024;
/** Bytes of memory for an entry, and for each byte of a patch whose working form is kept, at worst. */
const ENTRY_BYTES = 400;
const FORMS_FACTOR = 12;

/** Between the JSON text of a patch in the log and the kind's note. JSON.stringify writes no newline. */
export const NOTE = 0x0a;
const NOTE_TEXT = '\n';

/**
 * Returns the form of the log: JSON text with the kind's note behind a newline, or a yjs update as it is. `sent` is
 * the JSON text of the patch, if there is one.
 */
export function storedForm(kind: AnyKind, op: unknown, sent?: Uint8Array): Uint8Array {
  const note = kind.note(op);
  if (sent !== undefined)
    return note === undefined ? sent : Buffer.concat([sent, Buffer.from(NOTE_TEXT + note, 'latin1')]);
  const wire = kind.wire(op);
  if (wire instanceof Uint8Array) return wire;
  const text = JSON.stringify(wire);
  return Buffer.from(note === undefined ? text : text + NOTE_TEXT + note, 'utf8');
}

/** Reads a patch from the log, in working form. Throws if the log holds no patch of this kind. */
export function fromStored(kind: AnyKind, stored: Uint8Array): unknown {
  if (kind.name === 'yjs') return kind.recall(stored, undefined);
  const end = stored.indexOf(NOTE);
  const text = textOf(end < 0 ? stored : stored.subarray(0, end));
  return kind.recall(parseJson(text) as Wire, end < 0 ? undefined : textOf(stored.subarray(end + 1)));
}

export const entryOf = ({ version, client, seq, op }: StoredDelta): Entry => ({
  version,
  client,
  seq,
  size: op.length,
  op: undefined,
  stored: op,
});

/** The entry as it is kept once it is durable: in the form that takes less memory. */
export function kept(kind: AnyKind, entry: Entry): Entry {
  const { version, client, seq, size, stored } = entry;
  if (size <= LARGE_BYTES) return { version, client, seq, size, op: opOf(kind, entry), stored: undefined };
  return { version, client, seq, size, op: undefined, stored: stored && unpinned(stored) };
}

/** True if the entry may be kept as it is until it is durable. */
export const isLarge = ({ size }: Entry): boolean => size > LARGE_BYTES;

/** The same bytes, in a buffer that is not much larger. */
const unpinned = (bytes: Uint8Array): Uint8Array =>
  2 * bytes.length >= bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);

/** Approximate bytes of memory for a kept entry. */
export const memoryOf = ({ size }: Entry): number =>
  ENTRY_BYTES + (size > LARGE_BYTES ? size : FORMS_FACTOR * size);

/** The patch of an entry in working form. */
export function opOf(kind: AnyKind, { op, stored }: Entry): unknown {
  if (op !== undefined) return op;
  if (stored === undefined) throw new Error('an entry has neither a working form nor a stored form');
  return fromStored(kind, stored);
}

/**
 * Work in pieces of about a millisecond, with a `yield` between two pieces. The generator returns the
 * result.
 */
export type Pieces<Result> = Generator<undefined, Result, undefined>;

/** Does all pieces at once. */
export function atOnce<Result>(pieces: Pieces<Result>): Result {
  for (;;) {
    const { done, value } = pieces.next();
    if (done === true) return value;
  }
}

/**
 * A snapshot in the form that clients get: JSON text, or a yjs update. The state must not change until the
 * end.
 */
export function* snapshotOf(kind: AnyKind, state: unknown): Pieces<string | Uint8Array> {
  if (kind.writeText !== undefined) return yield* kind.writeText(state);
  const wire = kind.snapshot(state);
  return wire instanceof Uint8Array ? wire : JSON.stringify(wire);
}

/** A snapshot in the form of the store: UTF-8 of its JSON text, or a yjs update. */
export function storedSnapshot(kind: AnyKind, state: unknown): Uint8Array {
  const snapshot = atOnce(snapshotOf(kind, state));
  return typeof snapshot === 'string' ? Buffer.from(snapshot, 'utf8') : snapshot;
}

/**
 * Builds a state from a stored snapshot, or a new document's state if `stored` is undefined. Throws if the
 * snapshot is not one of this kind.
 */
export function* stateOf(kind: AnyKind, stored: Uint8Array | undefined): Pieces<unknown> {
  if (stored === undefined) return kind.create();
  if (kind.name === 'yjs') return kind.load(stored);
  const text = Buffer.from(stored.buffer, stored.byteOffset, stored.length).toString('utf8');
  if (kind.readText !== undefined) return yield* kind.readText(text);
  return kind.load(parseJson(text) as Wire);
}

/**
 * Decodes a patch from the link for the kind's parser. Undefined if a kind other than yjs gets an update, or
 * if yjs gets anything but an update or its base64. Throws if the text is not JSON.
 */
export function fromLink(kind: AnyKind, [encoding, bytes]: LinkOp): unknown {
  if (encoding === UPDATE_OP || encoding === SYNC_OP || encoding === CHECK_OP)
    return kind.name === 'yjs' ? bytes : undefined;
  const value = encoding === MSGPACK_OP ? unpackValue(bytes) : parseJson(textOf(bytes));
  if (kind.name !== 'yjs') return value;
  return typeof value === 'string' ? base64Bytes(value) : undefined;
}

/**
 * The form of the log of a patch that was sent as `sent`, decoded as `wire` and parsed as `parsed`, and has
 * committed as `op`. If the patch commits as it came, its bytes are used again.
 */
export function storedFromLink(
  kind: AnyKind,
  [encoding, bytes]: LinkOp,
  wire: unknown,
  parsed: unknown,
  op: unknown,
): Uint8Array {
  const isAsSent = encoding === JSON_OP && kind.isAsSent(wire, parsed, op);
  return storedForm(kind, op, isAsSent ? bytes : undefined);
}

function base64Bytes(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** The patch of an entry in the form of the log. */
export function storedOf(kind: AnyKind, entry: Entry): Uint8Array {
  entry.stored ??= storedForm(kind, entry.op);
  return entry.stored;
}

/** JSON text of an entry's patch for a frame, as bytes. */
export const frameText = (kind: AnyKind, entry: Entry): Uint8Array =>
  patchText(kind.name, storedOf(kind, entry));

/** JSON text, as bytes, of a patch in the form of the log. */
export function patchText(kind: KindName, stored: Uint8Array): Uint8Array {
  if (kind !== 'yjs') {
    const end = stored.indexOf(NOTE);
    return end < 0 ? stored : stored.subarray(0, end);
  }
  return Buffer.from(`"${bufferOf(stored).toString('base64')}"`, 'latin1');
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

const textOf = (bytes: Uint8Array): string => bufferOf(bytes).toString('utf8');
