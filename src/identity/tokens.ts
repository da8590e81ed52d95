// Users by their tokens, which are JSON Web Tokens. The claims `sub` and `exp` are required; `docs` has the grants.
// The algorithms are fixed by the configured keys: a token cannot choose its own.
import { errors, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { Grants } from './grants.ts';
import type { Identity, Unidentified } from './identity.ts';
import { KeysUnavailable, type TokenKeys } from './token-keys.ts';
import type { User } from './user.ts';

export interface TokenOptions {
  readonly issuer: string | null;
  readonly audience: string | null;
  /** How far the clocks of the issuer and of this node may differ. */
  readonly toleranceMs: number;
  /** ms since 1970. */
  readonly time: () => number;
}

/** A longer token is refused unread. */
const MOST_TOKEN_CHARACTERS = 16 * 1024;
const MOST_SUB_CHARACTERS = 255;
const MOST_NAME_CHARACTERS = 200;
/** The last time that Date knows. Comparisons with it stay exact. */
const LAST_TIME_MS = 8.64e15;
const CONTROL_CHARACTER = /\p{Cc}/u;

export class TokenIdentity implements Identity {
  readonly #keys: TokenKeys;
  readonly #options: TokenOptions;

  constructor(keys: TokenKeys, options: TokenOptions) {
    this.#keys = keys;
    this.#options = options;
  }

  async identify(token: string | undefined): Promise<User | Unidentified> {
    if (token === undefined) return refused('a token is needed');
    if (token.length > MOST_TOKEN_CHARACTERS) return refused('the token is too long');
    const { issuer, audience, toleranceMs, time } = this.#options;
    const options: JWTVerifyOptions = {
      requiredClaims: ['sub', 'exp'],
      clockTolerance: toleranceMs / 1000,
      currentDate: new Date(time()),
      ...(issuer === null ? {} : { issuer }),
      ...(audience === null ? {} : { audience }),
    };
    try {
      const { payload } = await this.#keys.verify(token, options);
      return userOf(payload, toleranceMs);
    } catch (error) {
      if (error instanceof KeysUnavailable)
        return { code: 'unavailable', message: error.message, retryAfterMs: error.retryAfterMs };
      return refused(reasonOf(error));
    }
  }
}

function userOf(claims: JWTPayload, toleranceMs: number): User | Unidentified {
  const { sub, exp = 0, name, docs, admin } = claims;
  if (typeof sub !== 'string' || !isPrintable(sub, MOST_SUB_CHARACTERS))
    return refused(
      `the claim sub is not text of 1 to ${MOST_SUB_CHARACTERS} characters without control characters`,
    );
  const grants = Grants.read(docs);
  if (typeof grants === 'string') return refused(grants);
  return {
    sub,
    name: typeof name === 'string' && isPrintable(name, MOST_NAME_CHARACTERS) ? name : undefined,
    isAdmin: admin === true,
    expiresAt: Math.min(exp * 1000 + toleranceMs, LAST_TIME_MS),
    roleIn: (document) => grants.roleIn(document),
  };
}

/** The database stores the text, and the log shows it in one line. */
const isPrintable = (text: string, most: number): boolean =>
  text.length > 0 && text.length <= most && text.isWellFormed() && !CONTROL_CHARACTER.test(text);

const refused = (message: string): Unidentified => ({ code: 'unauthenticated', message, retryAfterMs: 0 });

/** A sentence without any text of the token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return `the token has no claim ${error.claim}`;
    if (error.claim === 'nbf') return 'the token is not valid yet';
    if (error.claim === 'aud') return 'the token is for another audience';
    if (error.claim === 'iss') return 'the token is from another issuer';
    return `the claim ${error.claim} of the token is wrong`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the signature of the token is wrong';
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'the token is signed with an algorithm that is not allowed';
  if (error instanceof errors.JWKSNoMatchingKey) return 'the token is signed with a key that is not known';
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return 'several keys fit the token, which has to name one by kid';
  return 'the token cannot be read';
}
