// Frees the memory of quiet documents: of those that no client has open any more, and of the least recently
// used ones while all documents together take too much. A document may get a snapshot before, so other
// documents get turns between two of them.
import type { Clock } from '../clock.ts';
import type { DocumentActor } from '../document/actor.ts';
import type { DocumentWork } from './document-work.ts';
import type { Residents } from './residents.ts';

export interface PassivationLimits {
  /**
   * Approximate bytes of all documents in memory. Beyond it, quiet documents are unloaded, the least
   * recently used first.
   */
  readonly memoryBytes: number;
  /** A document without subscribers is unloaded after this long. */
  readonly idleMs: number;
}

/** The documents of a worker at a sweep, before it frees any memory. */
export interface InMemory {
  readonly actors: number;
  /** Actors whose document is in memory. */
  readonly resident: number;
  /** Approximate bytes of all actors. */
  readonly bytes: number;
}

export interface PassivationOptions {
  readonly limits: PassivationLimits;
  readonly residents: Residents;
  readonly work: Pick<DocumentWork, 'begin' | 'doNow' | 'mustYield'>;
  readonly clock: Pick<Clock, 'now' | 'soon'>;
  /** Called after each part of the work. */
  readonly onPause: () => void;
}

/**
 * A document below this share of the memory stays loaded while such small documents take less than half of
 * the memory.
 */
const SMALL_SHARE = 1 / 1024;

export class Passivation {
  readonly #options: PassivationOptions;

  constructor(options: PassivationOptions) {
    this.#options = options;
  }

  sweep(): InMemory {
    const { limits, residents, clock } = this.#options;
    const oldest = clock.now() - limits.idleMs;
    const small = limits.memoryBytes * SMALL_SHARE;
    let actors = 0;
    let resident = 0;
    let bytes = 0;
    let smallBytes = 0;
    for (const actor of residents.all()) {
      actors++;
      if (actor.isResident) resident++;
      bytes += actor.bytes;
      if (actor.bytes < small) smallBytes += actor.bytes;
    }
    // If large documents take the memory, unloading small ones frees almost nothing and delays their
    // editors.
    const areSmallTooMany = smallBytes > limits.memoryBytes / 2;
    const quiet = [...residents.all()].filter((actor) => {
      const isWorthIt = actor.isResident && (areSmallTooMany || actor.bytes >= small);
      return actor.isQuiet && (isIdle(actor, oldest) || isWorthIt);
    });
    quiet.sort((a, b) => a.lastUsed - b.lastUsed);
    this.#unload(quiet, oldest, Math.max(0, bytes - limits.memoryBytes));
    return { actors, resident, bytes };
  }

  /** `above`: bytes to free of documents that are not idle. */
  #unload(quiet: readonly DocumentActor[], oldest: number, above: number): void {
    const { residents, work, clock, onPause } = this.#options;
    let left = above;
    work.begin();
    for (const [at, actor] of quiet.entries()) {
      if (work.mustYield) {
        clock.soon(() => this.#unload(quiet.slice(at), oldest, left));
        return;
      }
      if (!residents.isCurrent(actor) || !actor.isQuiet) continue;
      if (!isIdle(actor, oldest) && (left <= 0 || !actor.isResident)) continue;
      const { bytes } = actor;
      work.doNow(actor, () => {
        if (actor.foldWhenIdle()) return;
        left -= bytes;
        if (actor.hasSubscribers) actor.unload();
        else residents.forget(actor);
      });
    }
    onPause();
  }
}

const isIdle = (actor: DocumentActor, oldest: number): boolean =>
  !actor.hasSubscribers && actor.lastUsed < oldest;
