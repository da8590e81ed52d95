// A user as the node knows one: a name for the log of patches, a time at which this knowledge ends, and a role in
// each document.
import type { Role } from '../../protocol/messages.ts';

export interface User {
  /** Identifies the user. Stored with each patch of the user. */
  readonly sub: string;
  /** The name that others may be shown. */
  readonly name: string | undefined;
  readonly isAdmin: boolean;
  /** When the user has to show a new token, ms since 1970. Infinity: never. */
  readonly expiresAt: number;
  /** The role in a document with a valid name. Undefined: the user has no right there. */
  roleIn(document: string): Role | undefined;
}

/** The user of every socket with `auth.mode: none`. */
export const EVERYONE: User = {
  sub: 'anonymous',
  name: undefined,
  isAdmin: false,
  expiresAt: Number.POSITIVE_INFINITY,
  roleIn: () => 'owner',
};
