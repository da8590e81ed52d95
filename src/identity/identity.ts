// Finds out which user a client is. With `auth.mode: none` every client is the same user, an owner of every document;
// with `jwt` a client is the user of its token. This room knows no sockets and no documents.
import { EVERYONE, type User } from './user.ts';

/** The outcome for a token that identifies nobody now. */
export interface Unidentified {
  /** `unavailable`: the keys are out of reach, so the same token may be good later. */
  readonly code: 'unauthenticated' | 'unavailable';
  readonly message: string;
  /** With `unavailable`. */
  readonly retryAfterMs: number;
}

export interface Identity {
  /**
   * The user of a token. A promise never rejects. `token` is undefined if the client has shown none.
   */
  identify(token: string | undefined): User | Promise<User | Unidentified>;
}

export const isUser = (found: User | Unidentified): found is User => 'sub' in found;

/** The identity of `auth.mode: none`. */
export const NO_LOGIN: Identity = { identify: () => EVERYONE };
