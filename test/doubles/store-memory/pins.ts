// Pins that operators set, in the memory store. Each call is one synchronous statement, hence atomic.
import type { PinRow } from '../../../actors/storage/store.ts';

export class MemoryPins {
  /** In the order in which they were set. */
  readonly #pins = new Map<string, PinRow>();

  list(): readonly PinRow[] {
    return [...this.#pins.values()];
  }

  set({ match, node, slot }: PinRow): void {
    this.#pins.delete(match);
    this.#pins.set(match, { match, node, slot });
  }

  remove(match: string): boolean {
    return this.#pins.delete(match);
  }
}
