// Users by their tokens, which are JSON Web Tokens. The claims `sub` and `exp` are required; `docs` has the grants.
// The algorithms are fixed by the configured keys: a token cannot choose its own.
import { errors, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { type Identity, refused, type Unidentified } from '../identity.ts';
import type { User } from '../user.ts';
import { KeysUnavailable, type TokenKeys } from './token-keys.ts';
import { userOfClaims } from './token-user.ts';

export interface TokenOptions {
  readonly issuer: string | null;
  readonly audience: string | null;
  /** How far the clocks of the issuer and of this node may differ. */
  readonly toleranceMs: number;
  /** How long after it was issued a token is good at most. Infinity: as long as it says. */
  readonly longestMs: number;
  /** ms since 1970. */
  readonly time: () => number;
}

/** A longer token is refused unread. */
const MOST_TOKEN_CHARACTERS = 16 * 1024;
/** The last time that Date knows. Comparisons with it stay exact. */
const LAST_TIME_MS = 8.64e15;

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
    const now = time();
    const options: JWTVerifyOptions = {
      requiredClaims: ['sub', 'exp'],
      clockTolerance: toleranceMs / 1000,
      currentDate: new Date(now),
      ...(issuer === null ? {} : { issuer }),
      ...(audience === null ? {} : { audience }),
    };
    try {
      const { payload } = await this.#keys.verify(token, options);
      const times = timesOf(payload, this.#options, now);
      return typeof times === 'string' ? refused(times) : userOfClaims(payload, times);
    } catch (error) {
      if (error instanceof KeysUnavailable)
        return { code: 'unavailable', message: error.message, retryAfterMs: error.retryAfterMs };
      return refused(reasonOf(error));
    }
  }

  async renew(user: User): Promise<User> {
    return user;
  }
}

/**
 * When the token was issued and when it ends, ms since 1970. A token without `iat` counts as issued as early as its end
 * allows. Returns a sentence if the token is not good now.
 */
function timesOf(
  { iat, exp = 0 }: JWTPayload,
  { longestMs, toleranceMs }: TokenOptions,
  now: number,
): Pick<User, 'issuedAt' | 'expiresAt'> | string {
  const issuedAt = iat === undefined ? exp * 1000 - longestMs : iat * 1000;
  if (issuedAt > now + toleranceMs)
    return iat === undefined
      ? 'the token has no claim iat, and lives for too long'
      : 'the token was issued in the future';
  const end = Math.min(exp * 1000, issuedAt + longestMs);
  const expiresAt = Math.min((Number.isNaN(end) ? exp * 1000 : end) + toleranceMs, LAST_TIME_MS);
  return expiresAt <= now ? 'the token was issued too long ago' : { issuedAt, expiresAt };
}

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
