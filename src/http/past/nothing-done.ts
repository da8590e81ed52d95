// The answers to restores and reverts with an Idempotency-Key that had nothing to do. Nothing in the document's log stands for
// their keys, so this node remembers them, for a bounded number of requests. Otherwise a request that is sent again, because its
// answer was lost, could take back what others have written since.
import { LRUCache } from 'lru-cache';
import type { Author, Place } from '../documents/document-requests.ts';

/** Most requests that are remembered. The oldest is forgotten. */
const REQUESTS = 1_000;

export class NothingDone {
  readonly #versions: LRUCache<string, number>;

  /** `forMs`: how long a request is remembered. */
  constructor(forMs: number) {
    this.#versions = new LRUCache({ max: REQUESTS, ttl: forMs });
  }

  /** The head that the request was answered with. */
  find(history: string, author: Author): number | undefined {
    return this.#versions.get(nameOf(history, author));
  }

  add({ history, version }: Place, author: Author): void {
    if (author.key !== undefined) this.#versions.set(nameOf(history, author), version);
  }
}

const nameOf = (history: string, { user, key }: Author): string => JSON.stringify([history, user, key]);
