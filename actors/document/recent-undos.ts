// The undos of the latest patches of a document, by which a patch is judged at its base. They are kept for kinds that need
// them, as long as the patches are in memory, and within a bound: a patch that removes a large value keeps that value here.
import type { AnyKind } from './entry.ts';

/** Most bytes of memory for the undos of one document. Beyond it the oldest go, down to half. */
const MOST_BYTES = 4 * 1024 * 1024;

export class RecentUndos {
  readonly #looksBack: AnyKind['looksBack'];
  /** Those of the versions `first`, `first` + 1 and so on. */
  #undos: unknown[] = [];
  #first: number;
  #bytes = 0;

  /** `first` is the version whose undo is added first. */
  constructor(kind: AnyKind, first: number) {
    this.#looksBack = kind.looksBack;
    this.#first = first;
  }

  /** Estimated bytes of memory. */
  get bytes(): number {
    return this.#bytes;
  }

  add(undo: unknown): void {
    const looksBack = this.#looksBack;
    if (looksBack === undefined) return;
    const kept = looksBack.kept(undo);
    this.#undos.push(kept);
    this.#bytes += looksBack.memory(kept);
    if (this.#bytes > MOST_BYTES) this.#drop(() => this.#bytes > MOST_BYTES / 2);
  }

  /** The undos of the versions above `base`, up to the last. They are fewer if the oldest are not kept. */
  above(base: number): readonly unknown[] {
    return this.#undos.slice(Math.max(0, base + 1 - this.#first));
  }

  /** Drops the undos of the versions below `first`. */
  dropBelow(first: number): void {
    this.#drop((version) => version < first);
  }

  #drop(isSuperfluous: (version: number) => boolean): void {
    let drop = 0;
    while (drop < this.#undos.length && isSuperfluous(this.#first + drop))
      this.#bytes -= this.#looksBack?.memory(this.#undos[drop++]) ?? 0;
    if (drop === 0) return;
    this.#undos = this.#undos.slice(drop);
    this.#first += drop;
  }
}
