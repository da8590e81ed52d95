// Cuts what peers lack out of a merged document. All peers are served by one pass over it, which decodes no content;
// Y.diffUpdate decodes and writes every struct again, for each peer. The bytes of structs and deletions are copied. Only a
// struct of which a peer has the beginning is divided, by Yjs.
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import { type Place, type Scan, type Section, scanUpdate } from './scan.ts';

/**
 * For each state vector the part of a checked update that a peer with this vector lacks, with all deletions. The result is
 * that of Y.diffUpdate. O(update + results). Throws if a vector is none.
 */
export function diffsOf(update: Uint8Array, vectors: readonly Uint8Array[]): Uint8Array[] {
  const peers = vectors.map((vector) => Y.decodeStateVector(vector));
  const places = new Map<number, Map<number, Place>>();
  const scan = scanUpdate(update, Number.POSITIVE_INFINITY, {
    structs: () => undefined,
    deletes: () => undefined,
    wanted: (client) =>
      [...new Set(peers.map((peer) => peer.get(client) ?? 0))]
        .sort((a, b) => a - b)
        .filter((clock) => clock > 0),
    found: (client, clock, place) => {
      const found = places.get(client);
      if (found === undefined) places.set(client, new Map([[clock, place]]));
      else found.set(clock, place);
    },
  });
  return peers.map((peer) => partFor(update, scan, peer, places));
}

export const diffOf = (update: Uint8Array, vector: Uint8Array): Uint8Array =>
  diffsOf(update, [vector])[0] ?? update;

function partFor(
  update: Uint8Array,
  { sections, deletes }: Scan,
  peer: ReadonlyMap<number, number>,
  places: ReadonlyMap<number, ReadonlyMap<number, Place>>,
): Uint8Array {
  const encoder = encoding.createEncoder();
  const lacking = sections.filter(({ client, end }) => end > (peer.get(client) ?? 0));
  encoding.writeVarUint(encoder, lacking.length);
  for (const section of lacking) {
    const clock = peer.get(section.client) ?? 0;
    const place = places.get(section.client)?.get(clock);
    if (clock <= section.clock || place === undefined)
      encoding.writeUint8Array(encoder, update.subarray(section.from, section.to));
    else writeFrom(encoder, update, section, clock, place);
  }
  encoding.writeUint8Array(encoder, update.subarray(deletes));
  return encoding.toUint8Array(encoder);
}

/** Writes the structs of a section from a clock on. The struct at that clock is at `place`. */
function writeFrom(
  encoder: encoding.Encoder,
  update: Uint8Array,
  { client, to, count }: Section,
  clock: number,
  place: Place,
): void {
  const before = place.isSkip ? place.index + 1 : place.index;
  encoding.writeVarUint(encoder, count - before);
  encoding.writeVarUint(encoder, client);
  if (place.isSkip) {
    encoding.writeVarUint(encoder, place.end);
    encoding.writeUint8Array(encoder, update.subarray(place.to, to));
    return;
  }
  encoding.writeVarUint(encoder, clock);
  const struct = update.subarray(place.from, place.to);
  encoding.writeUint8Array(
    encoder,
    clock === place.clock ? struct : restOf(struct, client, place.clock, clock),
  );
  encoding.writeUint8Array(encoder, update.subarray(place.to, to));
}

/** The bytes of a struct that begins at `from`, without its part before `clock`. */
function restOf(struct: Uint8Array, client: number, from: number, clock: number): Uint8Array {
  const alone = encoding.createEncoder();
  const head = (encoder: encoding.Encoder, at: number): void => {
    for (const number of [1, 1, client, at]) encoding.writeVarUint(encoder, number);
  };
  head(alone, from);
  encoding.writeUint8Array(alone, struct);
  encoding.writeVarUint(alone, 0);
  const rest = Y.diffUpdate(encoding.toUint8Array(alone), Y.encodeStateVector(new Map([[client, clock]])));
  const begin = encoding.createEncoder();
  head(begin, clock);
  return rest.subarray(encoding.length(begin), -1);
}

/** Several updates as one array of bytes. */
export function packUpdates(updates: readonly Uint8Array[]): Uint8Array {
  const encoder = encoding.createEncoder();
  for (const update of updates) encoding.writeVarUint8Array(encoder, update);
  return encoding.toUint8Array(encoder);
}

export function unpackUpdates(bytes: Uint8Array): Uint8Array[] {
  const decoder = decoding.createDecoder(bytes);
  const updates: Uint8Array[] = [];
  while (decoding.hasContent(decoder)) updates.push(decoding.readVarUint8Array(decoder));
  return updates;
}
