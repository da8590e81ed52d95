// A committed patch as the actor keeps it, and its forms in the log and in frames.
import type { DocumentKind } from '../../kinds/kind.ts';
import { parseJson } from '../../protocol/json-text.ts';
import type { Wire } from '../../protocol/messages.ts';
import type { LinkOp } from '../link/link-messages.ts';
import type { StoredDelta } from '../storage/store.ts';

/** Any kind. The actor never looks inside a state or a patch. */
export type AnyKind = DocumentKind<unknown, unknown, unknown>;

export interface Entry {
  readonly version: number;
  readonly client: string;
  readonly seq: number;
  /** Bytes in the log. */
  readonly size: number;
  /** Undefined if the forms are to be read again from `stored` when needed. */
  readonly forms: PatchForms | undefined;
  /** The form of the log. Undefined if `forms` stays in memory. */
  readonly stored: Uint8Array | undefined;
}

/** A committed patch, ready for use. */
export interface PatchForms {
  /** The patch in the kind's working form. */
  readonly op: unknown;
  /** JSON text of the wire form. Undefined for a yjs update. */
  readonly text: string | undefined;
}

/**
 * A patch of more bytes is kept in its form of the log: its working form has many objects and may take many
 * times the memory.
 */
const LARGE_BYTES = 1024;
/** Bytes of memory for an entry, and for each byte of a patch whose forms are kept, at worst. */
const ENTRY_BYTES = 400;
const FORMS_FACTOR = 12;

const NOTE = '\n';

/**
 * Returns the form of the log: JSON text with the kind's note behind a newline (JSON.stringify writes
 * none), or a yjs update as it is.
 */
export function storedForm(kind: AnyKind, op: unknown, text: string | undefined): Uint8Array {
  if (text === undefined) {
    const wire = kind.wire(op);
    if (!(wire instanceof Uint8Array)) throw new Error(`${kind.name}: a patch without text must be bytes`);
    return wire;
  }
  const note = kind.note(op);
  return Buffer.from(note === undefined ? text : text + NOTE + note, 'utf8');
}

/** Reads a patch from the log. Throws if the log holds no patch of this kind. */
export function fromStored(kind: AnyKind, stored: Uint8Array): PatchForms {
  if (kind.name === 'yjs') return { op: kind.recall(stored, undefined), text: undefined };
  const whole = Buffer.from(stored.buffer, stored.byteOffset, stored.length).toString('utf8');
  const at = whole.indexOf(NOTE);
  const text = at < 0 ? whole : whole.slice(0, at);
  const note = at < 0 ? undefined : whole.slice(at + 1);
  return { op: kind.recall(parseJson(text) as Wire, note), text };
}

export const entryOf = (kind: AnyKind, { version, client, seq, op }: StoredDelta): Entry =>
  newEntry({ version, client, seq }, fromStored(kind, op), op);

export function newEntry(
  about: Pick<Entry, 'version' | 'client' | 'seq'>,
  forms: PatchForms,
  stored: Uint8Array,
): Entry {
  const size = stored.length;
  return { ...about, size, forms, stored: size > LARGE_BYTES ? stored : undefined };
}

/** The entry as it is kept once no output waits for it. */
export const kept = (entry: Entry): Entry =>
  entry.stored === undefined ? entry : { ...entry, forms: undefined };

/** Approximate bytes of memory for a kept entry. */
export const memoryOf = ({ size, stored }: Entry): number =>
  ENTRY_BYTES + (stored === undefined ? FORMS_FACTOR * size : size);

/** Returns the forms of an entry. Reads them from `stored` if they are not in memory. */
export function formsOf(kind: AnyKind, { forms, stored }: Entry): PatchForms {
  if (forms !== undefined) return forms;
  if (stored === undefined) throw new Error('an entry has neither its forms nor its stored form');
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
 * Converts a patch from the link for the kind's parser. Undefined if a kind other than yjs gets bytes, or
 * if yjs gets a text that is not base64. Throws if the text is not JSON.
 */
export function fromLink(kind: AnyKind, op: LinkOp): unknown {
  if (typeof op !== 'string') return kind.name === 'yjs' ? op : undefined;
  const value: unknown = parseJson(op);
  if (kind.name !== 'yjs') return value;
  return typeof value === 'string' ? base64Bytes(value) : undefined;
}

function base64Bytes(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** JSON text of an entry's patch for a frame. */
export function frameText(kind: AnyKind, entry: Entry): string {
  const { op, text } = formsOf(kind, entry);
  if (text !== undefined) return text;
  const bytes = storedForm(kind, op, undefined);
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')}"`;
}
