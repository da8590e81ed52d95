// The identity as the configuration says.
import type { Config } from '../../config/schema.ts';
import { type Identity, NO_LOGIN } from './identity.ts';
import { Jwks } from './tokens/jwks.ts';
import { jwksSource } from './tokens/jwks-source.ts';
import { secretKey, type TokenKeys } from './tokens/token-keys.ts';
import { TokenIdentity } from './tokens/tokens.ts';

export interface IdentityOptions {
  /** ms since 1970. */
  readonly time: () => number;
  /** ms that never go back. */
  readonly now: () => number;
  /** Is told that the keys could not be read. */
  readonly onProblem: (message: string) => void;
}

/**
 * Rejects with StartError if the file of keys cannot be used. Keys of a URL may be out of reach at the start: until
 * they have been read, tokens are answered `unavailable`.
 */
export async function startIdentity(auth: Config['auth'], options: IdentityOptions): Promise<Identity> {
  if (auth.mode === 'none') return NO_LOGIN;
  return new TokenIdentity(await keysOf(auth.jwt, options), { ...auth.jwt, time: options.time });
}

async function keysOf(jwt: Config['auth']['jwt'], { now, onProblem }: IdentityOptions): Promise<TokenKeys> {
  const { secret, jwks: source, cacheMs, retiredMs } = jwt;
  if (secret !== null) return secretKey(secret);
  if (source === null)
    throw new Error('auth.mode is jwt without keys, which the configuration does not allow');
  const jwks = new Jwks({ source: jwksSource(source), now, cacheMs, retiredMs, onProblem });
  await jwks.start();
  return jwks;
}
