// The structs and deletions that a Yjs document has, as ranges of ids. They tell without a Y.Doc, and without reading
// the document, what a peer lacks and what an update brings. Merging updates and collecting garbage do not change them.
// A struct whose predecessors are missing is in here too, because the document keeps it.
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import type { Lack } from '../kind.ts';
import { IdRanges } from './id-ranges.ts';
import { type IdTaker, scanUpdate } from './scan.ts';

/** The update without content. */
export const EMPTY_UPDATE = Uint8Array.of(0, 0);

/** A peer that lacks a larger share of the clocks gets the whole document, which all such peers share. */
const MOST_SHARE = 1 / 2;
/** Bytes of memory for a range. */
const RANGE_BYTES = 24;

export class Known implements IdTaker {
  readonly #structs = new IdRanges();
  readonly #deletes = new IdRanges();
  #clocks = 0;
  #stateVector: Uint8Array | undefined;
  #deletions: Uint8Array | undefined;

  structs(client: number, from: number, to: number): void {
    this.#structs.missing(client, from, to, (begin, end) => {
      this.#clocks += end - begin;
    });
    if (this.#structs.add(client, from, to)) this.#stateVector = undefined;
  }

  deletes(client: number, from: number, to: number): void {
    if (this.#deletes.add(client, from, to)) this.#deletions = undefined;
  }

  /** Adds the content of a checked update. */
  add(update: Uint8Array): void {
    scanUpdate(update, Number.POSITIVE_INFINITY, this);
  }

  get memory(): number {
    return RANGE_BYTES * (this.#structs.count + this.#deletes.count);
  }

  /**
   * The state vector in Yjs's encoding: for each client the clock up to which the document has all structs. The caller
   * must not change it.
   */
  get stateVector(): Uint8Array {
    if (this.#stateVector === undefined) {
      const clocks = new Map<number, number>();
      for (const client of this.#structs.clients) {
        const clock = this.#structs.prefix(client);
        if (clock > 0) clocks.set(client, clock);
      }
      this.#stateVector = Y.encodeStateVector(clocks);
    }
    return this.#stateVector;
  }

  /**
   * Tells what a peer with this state vector lacks. `recent` has updates of the document, the newest first. As in Yjs,
   * the answer has all deletions, because a state vector does not tell which of them the peer has. Throws if the bytes
   * are not a state vector.
   */
  lackOf(stateVector: Uint8Array, recent: Iterable<Uint8Array>): Lack {
    const has = Y.decodeStateVector(stateVector);
    const needed = new IdRanges();
    let clocks = 0;
    for (const client of this.#structs.clients) {
      const from = has.get(client) ?? 0;
      const flat = this.#structs.of(client);
      for (let i = 0; i < flat.length; i += 2) {
        const begin = Math.max(from, flat[i] ?? 0);
        const end = flat[i + 1] ?? 0;
        if (needed.add(client, begin, end)) clocks += end - begin;
      }
    }
    if (clocks === 0) return { type: 'update', update: this.#deletionsOnly() };
    if (clocks > this.#clocks * MOST_SHARE) return { type: 'most' };
    const found = updatesWith(needed, clocks, recent);
    if (found === undefined) return { type: 'part' };
    return { type: 'update', update: Y.mergeUpdates([...found, this.#deletionsOnly()]) };
  }

  /**
   * Returns the part of a checked update that the document does not have, or `EMPTY_UPDATE`. A struct that stands behind
   * a gap of its client may be in the result although the document has it.
   */
  newIn(update: Uint8Array): Uint8Array {
    const known = this.#structs;
    const clocks = new Map<number, number>();
    const deletes: DeletedRange[] = [];
    let hasNewStructs = false;
    let hasOld = false;
    const { deletes: deletesAt } = scanUpdate(update, Number.POSITIVE_INFINITY, {
      structs: (client, from, to) => {
        const prefix = known.prefix(client);
        if (!known.has(client, from, to)) hasNewStructs = true;
        if (from >= prefix) return;
        hasOld = true;
        clocks.set(client, prefix);
      },
      deletes: (client, from, to) => {
        const before = deletes.length;
        this.#deletes.missing(client, from, to, (begin, end) => {
          deletes.push({ client, from: begin, to: end });
        });
        const first = deletes[before];
        if (first === undefined || first.from !== from || first.to !== to) hasOld = true;
      },
    });
    if (!hasNewStructs) return deletes.length === 0 ? EMPTY_UPDATE : withDeletes(EMPTY_UPDATE, 1, deletes);
    if (!hasOld) return update;
    if (clocks.size === 0) return withDeletes(update, deletesAt, deletes);
    const cut = Y.diffUpdate(update, Y.encodeStateVector(clocks));
    return withDeletes(cut, scanUpdate(cut, Number.POSITIVE_INFINITY).deletes, deletes);
  }

  #deletionsOnly(): Uint8Array {
    if (this.#deletions === undefined) {
      const all: DeletedRange[] = [];
      for (const client of this.#deletes.clients) {
        const flat = this.#deletes.of(client);
        for (let i = 0; i < flat.length; i += 2)
          all.push({ client, from: flat[i] ?? 0, to: flat[i + 1] ?? 0 });
      }
      this.#deletions = withDeletes(EMPTY_UPDATE, 1, all);
    }
    return this.#deletions;
  }
}

interface DeletedRange {
  readonly client: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The updates that have all of the needed structs together, oldest first. Undefined if they are not among the recent
 * ones.
 */
function updatesWith(
  needed: IdRanges,
  clocks: number,
  recent: Iterable<Uint8Array>,
): readonly Uint8Array[] | undefined {
  const found: Uint8Array[] = [];
  const covered = new IdRanges();
  let missing = clocks;
  for (const update of recent) {
    const before = missing;
    scanUpdate(update, Number.POSITIVE_INFINITY, {
      structs: (client, from, to) => {
        const flat = needed.of(client);
        for (let i = 0; i < flat.length; i += 2) {
          const begin = Math.max(from, flat[i] ?? 0);
          const end = Math.min(to, flat[i + 1] ?? 0);
          covered.missing(client, begin, end, (a, b) => {
            missing -= b - a;
          });
          covered.add(client, begin, end);
        }
      },
      deletes: () => undefined,
    });
    if (missing < before) found.push(update);
    if (missing === 0) return found.reverse();
  }
  return undefined;
}

/** The structs of an update, which end at `end`, with these deletions. Clients are in Yjs's order, the highest first. */
function withDeletes(update: Uint8Array, end: number, ranges: readonly DeletedRange[]): Uint8Array {
  const byClient = new Map<number, DeletedRange[]>();
  for (const range of ranges) {
    const own = byClient.get(range.client);
    if (own === undefined) byClient.set(range.client, [range]);
    else own.push(range);
  }
  const encoder = encoding.createEncoder();
  encoding.writeUint8Array(encoder, update.subarray(0, end));
  encoding.writeVarUint(encoder, byClient.size);
  for (const client of [...byClient.keys()].sort((a, b) => b - a)) {
    const own = byClient.get(client) ?? [];
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, own.length);
    for (const { from, to } of own) {
      encoding.writeVarUint(encoder, from);
      encoding.writeVarUint(encoder, to - from);
    }
  }
  return encoding.toUint8Array(encoder);
}
