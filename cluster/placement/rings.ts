// A cache of rings by their members: nodes leave and come back, and building a ring and placing all shards on
// it holds up the main thread. A node has one cache for all its runs.
import { Ring, type RingNode } from './ring.ts';

/** Rings that are kept. The least recently used one is dropped first. */
const REMEMBERED = 16;

export class Rings {
  readonly #rings = new Map<string, Ring>();

  /** The order of the members does not matter. */
  of(members: readonly RingNode[]): Ring {
    const key = keyOf(members);
    const ring = this.#rings.get(key) ?? new Ring(members);
    this.#rings.delete(key);
    this.#rings.set(key, ring);
    if (this.#rings.size > REMEMBERED) {
      const [oldest] = this.#rings.keys();
      if (oldest !== undefined) this.#rings.delete(oldest);
    }
    return ring;
  }
}

/** Equal for equal sets of members. */
export function keyOf(members: readonly RingNode[]): string {
  return JSON.stringify([...members].sort((a, b) => (a.name < b.name ? -1 : 1)));
}
