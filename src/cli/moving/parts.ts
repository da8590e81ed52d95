// Cuts a Yjs update into updates of bounded size, which together are the same: a node takes no patch above
// `limits.opBytes`. A part may need parts behind it; Yjs keeps it until they come.
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';

type Struct = Y.Item | Y.GC;

/** Consecutive structs of one client. */
interface Section {
  readonly client: number;
  readonly clock: number;
  /** The clock behind its last struct. */
  end: number;
  readonly structs: ((encoder: Y.UpdateEncoderV1) => void)[];
}

interface Deleted {
  readonly client: number;
  readonly clock: number;
  readonly len: number;
}

/** Bytes of a section without its structs, and of a deleted range. */
const HEAD_BYTES = 24;
const DELETED_BYTES = 24;

/**
 * The parts of a valid update, in their order: the first has at most `firstBytes`, the others `bytes`. A single value
 * that is larger, such as an image in the document, is a part of its own.
 */
export function partsOf(update: Uint8Array, firstBytes: number, bytes: number): Uint8Array[] {
  if (update.length <= firstBytes) return [update];
  const { structs, ds } = Y.decodeUpdate(update);
  const parts: Uint8Array[] = [];
  let sections: Section[] = [];
  let room = firstBytes;
  const flush = (): void => {
    if (sections.length > 0) parts.push(encode(sections, []));
    sections = [];
    room = bytes;
  };
  const add = (struct: Struct, from: number, to: number): void => {
    const write = writer(struct, from, to);
    const size = sizeOf(write) + HEAD_BYTES;
    if (size > room) {
      const length = to - from;
      if (size > bytes && length > 1 && mayCut(struct)) {
        const half = cutAt(struct, from + Math.ceil(length / 2));
        if (half > from && half < to) {
          add(struct, from, half);
          add(struct, half, to);
          return;
        }
      }
      flush();
    }
    room -= size;
    const { client, clock } = struct.id;
    const last = sections.at(-1);
    if (last?.client === client && last.end === clock + from) {
      last.structs.push(write);
      last.end = clock + to;
    } else sections.push({ client, clock: clock + from, end: clock + to, structs: [write] });
  };
  for (const struct of structs) {
    if (struct instanceof Y.Skip) continue;
    const { client, clock } = struct.id;
    // A section has no holes, and a part has one section of a client.
    const section = sections.find((each) => each.client === client);
    if (section !== undefined && section.end !== clock) flush();
    add(struct, 0, struct.length);
  }
  flush();
  const deleted: Deleted[] = [...ds.clients].flatMap(([client, ranges]) =>
    ranges.map(({ clock, len }) => ({ client, clock, len })),
  );
  const ranges = Math.max(1, Math.floor(bytes / DELETED_BYTES));
  for (let at = 0; at < deleted.length; at += ranges) parts.push(encode([], deleted.slice(at, at + ranges)));
  return parts;
}

/** Writes the part of a struct from `from` to `to`, both counted from its beginning. */
function writer(struct: Struct, from: number, to: number): (encoder: Y.UpdateEncoderV1) => void {
  if (to === struct.length) return (encoder) => struct.write(encoder, from);
  if (struct instanceof Y.GC) return (encoder) => new Y.GC(struct.id, to).write(encoder, from);
  return (encoder) => {
    const { id, origin, rightOrigin, parent, parentSub } = struct;
    const content = struct.content.copy();
    content.splice(to);
    new Y.Item(id, null, origin, null, rightOrigin, parent, parentSub, content).write(encoder, from);
  };
}

const mayCut = (struct: Struct): boolean =>
  struct instanceof Y.Item &&
  (struct.content instanceof Y.ContentString || struct.content instanceof Y.ContentAny);

/** The place itself, or the one behind it if it would divide a character. */
function cutAt(struct: Struct, at: number): number {
  if (!(struct instanceof Y.Item && struct.content instanceof Y.ContentString)) return at;
  return /^[\uD800-\uDBFF]/.test(struct.content.str.slice(at - 1, at)) ? at + 1 : at;
}

function sizeOf(write: (encoder: Y.UpdateEncoderV1) => void): number {
  const encoder = new Y.UpdateEncoderV1();
  write(encoder);
  return encoding.length(encoder.restEncoder);
}

function encode(sections: readonly Section[], deleted: readonly Deleted[]): Uint8Array {
  const encoder = new Y.UpdateEncoderV1();
  const { restEncoder } = encoder;
  encoding.writeVarUint(restEncoder, sections.length);
  for (const { client, clock, structs } of sections) {
    encoding.writeVarUint(restEncoder, structs.length);
    encoder.writeClient(client);
    encoding.writeVarUint(restEncoder, clock);
    for (const write of structs) write(encoder);
  }
  const byClient = new Map<number, Deleted[]>();
  for (const range of deleted) {
    const ranges = byClient.get(range.client);
    if (ranges === undefined) byClient.set(range.client, [range]);
    else ranges.push(range);
  }
  encoding.writeVarUint(restEncoder, byClient.size);
  for (const [client, ranges] of byClient) {
    encoding.writeVarUint(restEncoder, client);
    encoding.writeVarUint(restEncoder, ranges.length);
    for (const { clock, len } of ranges) {
      encoding.writeVarUint(restEncoder, clock);
      encoding.writeVarUint(restEncoder, len);
    }
  }
  return encoder.toUint8Array();
}
