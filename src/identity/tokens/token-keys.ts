// The keys that prove who has signed a token, as tokens.ts uses them, and the simplest of them: one shared secret.
import { type JWTVerifyOptions, type JWTVerifyResult, jwtVerify } from 'jose';

export interface TokenKeys {
  /**
   * Checks the signature and the claims of a token. Rejects with an error of `jose` if one of them is wrong, with
   * KeysUnavailable if the keys cannot be had.
   */
  verify(token: string, options: JWTVerifyOptions): Promise<JWTVerifyResult>;
}

/** The keys are out of reach, or were read too recently to be read again for an unknown key. */
export class KeysUnavailable extends Error {
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** HS256 and nothing else. */
export function secretKey(secret: string): TokenKeys {
  const key = new TextEncoder().encode(secret);
  return { verify: (token, options) => jwtVerify(token, key, { ...options, algorithms: ['HS256'] }) };
}
