// Tokens for tests: one shared secret, and pairs of keys for key sets.
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export const TOKEN_SECRET = 'a secret of the tests, with more than 32 bytes';

/** The configuration of a node that demands tokens, and ends a session half a second after its token. */
export const WITH_TOKENS = {
  auth: { mode: 'jwt', graceMs: 500, jwt: { secret: TOKEN_SECRET, toleranceMs: 0 } },
};

const inSeconds = (ms: number): number => Math.floor(ms / 1000);

/** Claims of a token that is good for a minute from now on. */
export const claimsOf = (sub: string, docs: object = {}, more: object = {}): JWTPayload => ({
  sub,
  docs,
  exp: inSeconds(Date.now()) + 60,
  ...more,
});

/** A token of this user, signed with HS256. `more` has further claims, or other ones. */
export const tokenOf = (sub: string, docs: object = {}, more: object = {}): Promise<string> =>
  new SignJWT(claimsOf(sub, docs, more))
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(TOKEN_SECRET));

/** A key pair as an identity provider has one. */
export interface Signer {
  /** The public key, as it stands in a key set. */
  readonly jwk: JWK;
  sign(claims: JWTPayload, header?: object): Promise<string>;
}

export async function newSigner(kid: string | undefined, alg = 'ES256'): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const named = kid === undefined ? {} : { kid };
  return {
    jwk: { ...(await exportJWK(publicKey)), ...named, alg, use: 'sig' },
    sign: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg, ...named, ...header }).sign(privateKey),
  };
}
