// The users of a simulation, and what each process knows of their rights. The token of a user is the user's name. Sockets
// without a token are the user of a node without login. A user who is revoked stays so: every process learns it within a
// second, and a process that starts later reads it.
import type { Role } from '../../../protocol/messages.ts';
import { type Identity, refused, type Unidentified } from '../../../src/identity/identity.ts';
import type { RightsChange } from '../../../src/identity/store.ts';
import { EVERYONE, type User } from '../../../src/identity/user.ts';
import { endsUser, REVOKED } from '../../../src/identity/users.ts';

/** The users with a token, each with the role in every document. Undefined: no right. */
export const ROLES = {
  viewer: 'viewer',
  thief: 'editor',
  leaver: 'editor',
  stranger: undefined,
} as const satisfies Record<string, Role | undefined>;
export type Sub = keyof typeof ROLES;

const isSub = (token: string): token is Sub => Object.hasOwn(ROLES, token);

/** The changes of rights that the database keeps, and the processes that want to hear of new ones. */
export class RightsTable {
  readonly changes: RightsChange[] = [];
  readonly listeners = new Set<(change: RightsChange) => void>();

  revoke(sub: Sub): void {
    const change: RightsChange = { kind: 'user', sub, beforeMs: Number.MAX_SAFE_INTEGER };
    this.changes.push(change);
    for (const listener of this.listeners) listener(change);
  }
}

/** The identity of one process. */
export class SimIdentity implements Identity {
  readonly #known: RightsChange[];

  constructor(known: readonly RightsChange[]) {
    this.#known = [...known];
  }

  learn(change: RightsChange): void {
    this.#known.push(change);
  }

  identify(token: string | undefined): User | Promise<User | Unidentified> {
    if (token === undefined) return EVERYONE;
    return Promise.resolve(isSub(token) && !this.isRevoked(token) ? userOf(token) : refused(REVOKED));
  }

  async renew(user: User): Promise<User | Unidentified> {
    return user;
  }

  isRevoked(sub: Sub): boolean {
    return this.#known.some((change) => endsUser(change, userOf(sub)));
  }
}

const userOf = (sub: Sub): User => ({ ...EVERYONE, sub, issuedAt: 0, roleIn: () => ROLES[sub] });
