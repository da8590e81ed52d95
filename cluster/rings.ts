// Rings by their members: nodes come, go and come back, and to make a ring and place all shards on it takes
// a millisecond or two of the main thread. A node has one of these for all its runs.
import { type Member, Ring } from './ring.ts';

/** Sets of members that are remembered; the one asked for longest ago goes first. */
const REMEMBERED = 16;

export class Rings {
  private readonly rings = new Map<string, Ring>();

  /** The order of the members does not matter. */
  of(members: readonly Member[]): Ring {
    const key = keyOf(members);
    const ring = this.rings.get(key) ?? new Ring(members);
    this.rings.delete(key);
    this.rings.set(key, ring);
    if (this.rings.size > REMEMBERED) {
      const [oldest] = this.rings.keys();
      if (oldest !== undefined) this.rings.delete(oldest);
    }
    return ring;
  }
}

/** The same for the same members. */
export function keyOf(members: readonly Member[]): string {
  return JSON.stringify([...members].sort((a, b) => (a.name < b.name ? -1 : 1)));
}
