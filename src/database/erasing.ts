// Removes the rows of documents that have been deleted for too long to be brought back, a few at a time. Every node does
// so; none waits for another.
import type { Clock } from '../../actors/clock.ts';
import { type RequestStore, StoreUnavailable } from '../../actors/storage/store.ts';

export interface ErasingOptions {
  readonly store: Pick<RequestStore, 'eraseExpired'>;
  readonly trashMs: number;
  readonly everyMs: number;
  readonly clock: Pick<Clock, 'every'>;
  readonly log: (level: 'info' | 'error', message: string, fields: object) => void;
}

/** Documents that are erased one after the other before the next look. */
const TOGETHER = 100;

/** Returns a function that ends it. */
export function eraseNowAndThen({ store, trashMs, everyMs, clock, log }: ErasingOptions): () => void {
  let isBusy = false;
  let hasEnded = false;
  const erase = async (): Promise<void> => {
    if (isBusy) return;
    isBusy = true;
    try {
      let erased = 0;
      do {
        erased = await store.eraseExpired(trashMs, TOGETHER);
        if (erased > 0) log('info', 'deleted documents were erased', { documents: erased });
      } while (erased >= TOGETHER && !hasEnded);
    } catch (error) {
      if (!(error instanceof StoreUnavailable) && !hasEnded)
        log('error', 'deleted documents could not be erased', { error: String(error) });
    } finally {
      isBusy = false;
    }
  };
  const end = clock.every(everyMs, () => void erase());
  return () => {
    hasEnded = true;
    end();
  };
}
