// `troupe token`: signs a token for development and for trying a node by hand. An application signs its own.
import { SignJWT } from 'jose';
import { EXIT, type ExitCode, StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { Grants } from '../identity/tokens/grants.ts';
import type { Output } from './output.ts';

export interface TokenClaims {
  readonly sub: string;
  /** Patterns with roles, in the form of the claim `docs`. */
  readonly docs: Readonly<Record<string, string>>;
  readonly displayName: string | undefined;
  readonly admin: boolean;
  readonly expiresMs: number;
}

/** The part of `auth.jwt` by which a node checks what is signed here. */
export interface SigningKeys {
  readonly secret: string;
  readonly issuer: string | null;
  readonly audience: string | null;
}

export async function token(
  { auth: { jwt } }: Config,
  { sub, docs, displayName, admin, expiresMs }: TokenClaims,
  io: Output,
): Promise<ExitCode> {
  if (jwt.secret === null)
    throw new StartError(
      'a token is signed with auth.jwt.secret, which is not set; the tokens of auth.jwt.jwks come from your identity provider',
    );
  const grants = Grants.read(docs);
  if (typeof grants === 'string') throw new StartError(grants, { exitCode: EXIT.usage });
  const text = await signToken({ ...jwt, secret: jwt.secret }, { sub, docs, displayName, admin, expiresMs });
  io.stdout.write(`${text}\n`);
  return EXIT.ok;
}

/** Signs a token that a node with this configuration takes. */
export function signToken(
  { secret, issuer, audience }: SigningKeys,
  { sub, docs, displayName, admin, expiresMs }: TokenClaims,
): Promise<string> {
  const now = Date.now();
  const signer = new SignJWT({
    sub,
    docs,
    iat: Math.floor(now / 1000),
    exp: Math.ceil((now + expiresMs) / 1000),
    ...(displayName === undefined ? {} : { name: displayName }),
    ...(admin ? { admin } : {}),
    ...(issuer === null ? {} : { iss: issuer }),
    ...(audience === null ? {} : { aud: audience }),
  });
  return signer.setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));
}
