// The client ids under which HTTP requests write. A key that the user has chosen always gives the same id, so the patch
// is applied once. A write without a key takes an id that no other write uses meanwhile, and gives it back with its
// answer. The next write takes it over with the next seq. So a document remembers a few ids of a user, and not one for
// each write.
import { createHash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { CALL_SEQ } from '../../../actors/link/calls.ts';

/** The user who writes, and the id and the seq of the write. */
export interface WriteClient {
  readonly user: string;
  readonly client: string;
  readonly seq: number;
}

/** Users whose ids are kept. The ids of the user who has not written for longest are forgotten. */
const USERS = 10_000;
/** Most ids of one user that are kept. */
const IDS = 64;
const CLIENT_BYTES = 18;

/** A write with a key, or the creation of a document, which has one at the most. */
export function clientOfKey(user: string, key: string | undefined): WriteClient {
  const bytes =
    key === undefined
      ? randomBytes(CLIENT_BYTES)
      : createHash('sha256')
          .update(JSON.stringify([user, key]))
          .digest()
          .subarray(0, CLIENT_BYTES);
  return { user, client: `http-${bytes.toString('base64url')}`, seq: CALL_SEQ };
}

export class WriteClients {
  readonly #free = new LRUCache<string, WriteClient[]>({ max: USERS });

  take(user: string): WriteClient {
    return this.#free.get(user)?.pop() ?? clientOfKey(user, undefined);
  }

  /** Only after an answer from which it is known whether the write was done. */
  giveBack({ user, client, seq }: WriteClient): void {
    const free = this.#free.get(user) ?? [];
    if (free.length < IDS) free.push({ user, client, seq: seq + 1 });
    this.#free.set(user, free);
  }
}
