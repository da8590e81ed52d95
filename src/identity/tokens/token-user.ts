// The user that the claims of a token describe. The signature and the times of the token have been checked before.

import { refused, type Unidentified } from '../identity.ts';
import type { Claims, User } from '../user.ts';
import { Grants } from './grants.ts';

const MOST_SUB_CHARACTERS = 255;
const MOST_NAME_CHARACTERS = 200;
const MOST_TOKEN_ID_CHARACTERS = 255;
const CONTROL_CHARACTER = /\p{Cc}/u;

export function userOfClaims(
  claims: Claims,
  times: Pick<User, 'issuedAt' | 'expiresAt'>,
): User | Unidentified {
  const { sub, name, docs, admin, jti } = claims;
  if (typeof sub !== 'string' || !isPrintable(sub, MOST_SUB_CHARACTERS))
    return refused(
      `the claim sub is not text of 1 to ${MOST_SUB_CHARACTERS} characters without control characters`,
    );
  if (jti !== undefined && (typeof jti !== 'string' || !isPrintable(jti, MOST_TOKEN_ID_CHARACTERS)))
    return refused(
      `the claim jti is not text of 1 to ${MOST_TOKEN_ID_CHARACTERS} characters without control characters`,
    );
  const grants = Grants.read(docs);
  if (typeof grants === 'string') return refused(grants);
  return {
    ...times,
    sub,
    name: typeof name === 'string' && isPrintable(name, MOST_NAME_CHARACTERS) ? name : undefined,
    isAdmin: admin === true,
    tokenId: jti,
    login: undefined,
    claims,
    roleIn: (document) => grants.roleIn(document),
    patternsIn: (org) => grants.patternsIn(org),
  };
}

/** The text may be the `sub` or the `jti` of a token. */
export const isSubject = (text: string): boolean => isPrintable(text, MOST_SUB_CHARACTERS);

/** The database stores the text, and the log shows it in one line. */
const isPrintable = (text: string, most: number): boolean =>
  text.length > 0 && text.length <= most && text.isWellFormed() && !CONTROL_CHARACTER.test(text);
