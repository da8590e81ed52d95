// Finds out which user a client is. With `auth.mode: none` every client is the same user, an owner of every document;
// with `jwt` a client is the user of its token, or of the login whose cookie it shows. This room knows no sockets and no
// documents.
import { EVERYONE, type User } from './user.ts';

/** The outcome for a token that identifies nobody now. */
export interface Unidentified {
  /** `unavailable`: the keys or the logins are out of reach, so the same token may be good later. */
  readonly code: 'unauthenticated' | 'unavailable';
  readonly message: string;
  /** With `unavailable`. */
  readonly retryAfterMs: number;
}

export interface Identity {
  /**
   * The user of a token, or of a login's cookie if there is no token. A promise never rejects. `token` and `cookie` are
   * undefined if the client has shown none.
   */
  identify(token: string | undefined, cookie?: string): User | Promise<User | Unidentified>;
  /**
   * The user of a login as it is now: it may have been refreshed, or have ended. A user of a token is the same as before.
   * Never rejects.
   */
  renew(user: User): Promise<User | Unidentified>;
}

export const isUser = (found: User | Unidentified): found is User => 'sub' in found;

export const refused = (message: string): Unidentified => ({
  code: 'unauthenticated',
  message,
  retryAfterMs: 0,
});

/** The identity of `auth.mode: none`. */
export const NO_LOGIN: Identity = {
  identify: () => EVERYONE,
  renew: async () => EVERYONE,
};
