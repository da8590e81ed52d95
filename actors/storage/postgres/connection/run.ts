// A run: the consecutive patches that one append carries for one document, as one value of the log. Owns
// the bytes; batch.ts decides the key of a run and the right to write it.
//
// byte 1 (the form), count, then per patch: flags, [client], seq, [user], op. Numbers are varints, 7 bits a
// byte, lowest first; texts (UTF-8) and op follow their length in bytes. Flag 1 stands for the client of
// the patch before, flag 2 for its user; before the first patch both are ''. troupe_patches() in the schema
// reads the same form.
import type { DeltaRow, StoredDelta } from '../../store.ts';

/** A patch as a run keeps it. Its place in the run gives its version, and the run has its epoch. */
export type RunPatch = Pick<DeltaRow, 'client' | 'seq' | 'user' | 'op'>;

/**
 * A run of the log. Compaction removes patches from its start, so `ops` has the last patches of `first` to
 * `last`.
 */
export interface StoredRun {
  readonly first: number;
  readonly last: number;
  readonly epoch: number;
  readonly ops: Uint8Array;
}

const FORM = 1;
const SAME_CLIENT = 1;
const SAME_USER = 2;

/** Bytes of the longest safe integer as a varint. */
const VARINT_BYTES = 8;
/** Bytes of the form and the count, from which the number of patches is read. */
export const RUN_HEADER_BYTES = 1 + VARINT_BYTES;

/** Most bytes that a patch takes. */
const spaceOf = ({ client, user, op }: RunPatch): number =>
  1 + 4 * VARINT_BYTES + 3 * (client.length + user.length) + op.byteLength;

/** Enough bytes for runs of these patches in any grouping. */
export function runSpace(patches: readonly RunPatch[]): number {
  let bytes = 0;
  for (const patch of patches) bytes += RUN_HEADER_BYTES + spaceOf(patch);
  return bytes;
}

/** Writes a run into `target` at `at`. Returns the index at which it ends. Throws RefusedValue. */
export function writeRun(target: Buffer, at: number, patches: readonly RunPatch[]): number {
  let place = at;
  target[place++] = FORM;
  place = writeVarint(target, place, patches.length);
  let client = '';
  let user = '';
  for (const patch of patches) {
    const sameClient = patch.client === client;
    const sameUser = patch.user === user;
    target[place++] = (sameClient ? SAME_CLIENT : 0) | (sameUser ? SAME_USER : 0);
    if (!sameClient) {
      client = patch.client;
      place = writeText(target, place, client);
    }
    place = writeVarint(target, place, patch.seq);
    if (!sameUser) {
      user = patch.user;
      place = writeText(target, place, user);
    }
    place = writeVarint(target, place, patch.op.byteLength);
    target.set(patch.op, place);
    place += patch.op.byteLength;
  }
  return place;
}

export function encodeRun(patches: readonly RunPatch[]): Buffer {
  const target = Buffer.allocUnsafe(runSpace(patches) + RUN_HEADER_BYTES);
  return target.subarray(0, writeRun(target, 0, patches));
}

/**
 * Returns the patches of a run. Each op is a view into `bytes`. Throws if the bytes are not a run of a
 * known form.
 */
export function decodeRun(bytes: Uint8Array): RunPatch[] {
  const reader = new Reader(bytes);
  const count = reader.header();
  const patches: RunPatch[] = [];
  let client = '';
  let user = '';
  for (let i = 0; i < count; i++) {
    const flags = reader.byte();
    if (!(flags & SAME_CLIENT)) client = reader.text();
    const seq = reader.varint();
    if (!(flags & SAME_USER)) user = reader.text();
    patches.push({ client, seq, user, op: reader.bytes(reader.varint()) });
  }
  if (!reader.atEnd) throw new Error('a run of the log has more bytes than patches');
  return patches;
}

/** Number of patches of a run, read from its first RUN_HEADER_BYTES. */
export const countOfRun = (header: Uint8Array): number => new Reader(header).header();

/** The patches of a run in (after, upTo], each with its version. */
export function deltasOf({ last, epoch, ops }: StoredRun, after: number, upTo: number): StoredDelta[] {
  const patches = decodeRun(ops);
  const start = last - patches.length + 1;
  const deltas: StoredDelta[] = [];
  for (const [i, { client, seq, user, op }] of patches.entries()) {
    const version = start + i;
    if (version > after && version <= upTo) deltas.push({ version, client, seq, user, op, epoch });
  }
  return deltas;
}

const NO_BYTES = Buffer.alloc(0);

/** The patches of one client in a run. */
export interface PairsOfRun {
  /** In order. */
  readonly pairs: (readonly [seq: number, version: number])[];
  /** The user of the last of them. '' if there is none. */
  readonly user: string;
}

/**
 * The pairs of one client in a run up to `upTo`. Unlike decodeRun it builds nothing for other clients' patches.
 */
export function pairsOfRun({ last, ops }: StoredRun, client: string, upTo: number): PairsOfRun {
  const reader = new Reader(ops);
  const wanted = Buffer.from(client);
  const count = reader.header();
  const pairs: (readonly [number, number])[] = [];
  let theirs = wanted.length === 0;
  let user: Uint8Array = NO_BYTES;
  let userOfLast = user;
  for (let version = last - count + 1; version <= last && version <= upTo; version++) {
    const flags = reader.byte();
    if (!(flags & SAME_CLIENT)) theirs = reader.bytes(reader.varint()).equals(wanted);
    const seq = reader.varint();
    if (!(flags & SAME_USER)) user = reader.bytes(reader.varint());
    reader.skip(reader.varint());
    if (!theirs) continue;
    pairs.push([seq, version]);
    userOfLast = user;
  }
  return { pairs, user: Buffer.from(userOfLast).toString() };
}

/**
 * A value that the log refuses, reported as PostgreSQL reports it for its own types: its text has no NUL
 * (and client_seq keeps clients as text), and its bigint has no fraction.
 */
export class RefusedValue extends Error {
  override name = 'RefusedValue';
  readonly code: '22021' | '22003';
  constructor(code: '22021' | '22003', message: string) {
    super(message);
    this.code = code;
  }
}

function writeVarint(target: Uint8Array, at: number, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RefusedValue('22003', `${value} is out of range`);
  let place = at;
  let rest = value;
  // Bit operations end at 31 bits.
  while (rest > 0x7fff_ffff) {
    target[place++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest > 127) {
    target[place++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  target[place++] = rest;
  return place;
}

/**
 * Up to this length, writing a text byte by byte costs less than a call out of JavaScript. Client ids are
 * short.
 */
const SHORT = 40;

function writeText(target: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length <= SHORT) {
    // If the text is ASCII, its length in bytes takes one byte.
    let place = at + 1;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0 || code > 127) return writeLongText(target, at, text);
      target[place++] = code;
    }
    target[at] = length;
    return place;
  }
  return writeLongText(target, at, text);
}

function writeLongText(target: Buffer, at: number, text: string): number {
  if (text.includes('\0')) throw new RefusedValue('22021', 'a text with a NUL character');
  const place = writeVarint(target, at, Buffer.byteLength(text));
  return place + target.write(text, place);
}

/** Reads a run from its start. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  header(): number {
    const form = this.byte();
    if (form !== FORM) throw new Error(`a run of the log has form ${form}, which this version does not know`);
    return this.varint();
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new Error('a run of the log is cut short');
    return byte;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) break;
    }
    if (!Number.isSafeInteger(value)) throw new Error('a run of the log has a number out of range');
    return value;
  }

  skip(length: number): void {
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new Error('a run of the log is cut short');
  }

  bytes(length: number): Buffer {
    const start = this.#at;
    this.skip(length);
    return this.#bytes.subarray(start, this.#at);
  }

  text(): string {
    return this.bytes(this.varint()).toString();
  }
}
