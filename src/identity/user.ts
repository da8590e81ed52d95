// A user as the node knows one: a name for the log of patches, a time at which this knowledge ends, and a role in
// each document.
import type { Role } from '../../protocol/messages.ts';

/** The claims of a token. Unknown ones are kept, because the callback for rights may need them. */
export type Claims = Readonly<Record<string, unknown>>;

export interface User {
  /** Identifies the user. Stored with each patch of the user. */
  readonly sub: string;
  /** The name that others may be shown. */
  readonly name: string | undefined;
  readonly isAdmin: boolean;
  /** When the user has to show a new token, ms since 1970. Infinity: never. */
  readonly expiresAt: number;
  /** When the token was issued, ms since 1970. */
  readonly issuedAt: number;
  /** The claim `jti`: the name of the token, by which it can be revoked. */
  readonly tokenId: string | undefined;
  /** The login whose cookie the user has shown. Undefined if the user has shown a token. */
  readonly login: string | undefined;
  readonly claims: Claims;
  /**
   * The role in a document with a valid name. Undefined: the user has no right there. A promise, which never rejects, if
   * a service decides.
   */
  roleIn(document: string): Role | undefined | Promise<RoleAnswer>;
  /**
   * The user's grants in an organisation as patterns of the documents' names in it: a name, or the beginning of names with
   * `*` behind it. They say nothing about roles.
   */
  patternsIn(org: string): readonly string[];
}

/** The role that a service has decided, or `unavailable` if it does not answer. */
export type RoleAnswer = DecidedRole | 'unavailable';

export interface DecidedRole {
  readonly role: Role | undefined;
  /** When the service is asked again, in ms that never go back. */
  readonly until: number;
}

/** The role of an answer that has one; undefined: no right. */
export const decidedRole = (answer: Role | undefined | DecidedRole): Role | undefined =>
  typeof answer === 'object' ? answer.role : answer;

/** The user of every socket with `auth.mode: none`. */
export const EVERYONE: User = {
  sub: 'anonymous',
  name: undefined,
  isAdmin: false,
  expiresAt: Number.POSITIVE_INFINITY,
  issuedAt: Number.POSITIVE_INFINITY,
  tokenId: undefined,
  login: undefined,
  claims: {},
  roleIn: () => 'owner',
  patternsIn: () => ['*'],
};
