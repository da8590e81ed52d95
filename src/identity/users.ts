// The identity of `auth.mode: jwt`: users of tokens and of logins, without the revoked ones. It joins the parts of this
// room; the parts do the checks.

import type { RoleCallback } from './callback/role-callback.ts';
import type { Revocations } from './changes/revocations.ts';
import { type Identity, isUser, refused, type Unidentified } from './identity.ts';
import type { Logins } from './logins/logins.ts';
import type { RightsChange } from './store.ts';
import type { User } from './user.ts';

export interface UsersOptions {
  readonly tokens: Pick<Identity, 'identify'>;
  readonly logins: Pick<Logins, 'use' | 'renew'>;
  readonly revocations: Pick<Revocations, 'isRevoked'>;
  /** Undefined if tokens alone decide about roles. */
  readonly callback: Pick<RoleCallback, 'decidesFor'> | undefined;
}

export class Users implements Identity {
  readonly #options: UsersOptions;

  constructor(options: UsersOptions) {
    this.#options = options;
  }

  async identify(token: string | undefined, cookie?: string): Promise<User | Unidentified> {
    const { tokens, logins } = this.#options;
    // An answer is checked in the same turn in which it is used, so that no change of rights comes in between.
    return this.#standing(
      await (token === undefined && cookie !== undefined ? logins.use(cookie) : tokens.identify(token)),
    );
  }

  async renew(user: User): Promise<User | Unidentified> {
    const { logins } = this.#options;
    return this.#standing(user.login === undefined ? user : await logins.renew(user.login));
  }

  #standing(found: User | Unidentified): User | Unidentified {
    const { revocations, callback } = this.#options;
    if (!isUser(found)) return found;
    if (revocations.isRevoked(found)) return refused(REVOKED);
    return callback?.decidesFor(found) ?? found;
  }
}

export const REVOKED = 'the token has been revoked';

/** True if the change ends what the user has shown. */
export function endsUser(change: RightsChange, user: User): boolean {
  switch (change.kind) {
    case 'user':
      return user.sub === change.sub && user.issuedAt < change.beforeMs;
    case 'token':
      return user.tokenId === change.tokenId;
    case 'login':
      return user.login === change.login;
    case 'recheck':
      return false;
    default:
      throw new Error(`unknown change ${String(change satisfies never)}`);
  }
}
