// The tokens of garbage runs: those of users with and without a right in the documents of the run, and those that no
// node may take.
import { randomBytes } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';

export interface GarbageTokens {
  /** Owners of every document of the organisation. */
  readonly bystander: string;
  readonly valid: string;
  /** A viewer of every document of the organisation, a user of another one, and an administrator; undefined where only a valid token is known. */
  readonly viewer: string | undefined;
  readonly foreign: string | undefined;
  readonly admin: string | undefined;
  /** Tokens that are expired, not yet valid, signed by another, not signed, cut off, or no tokens. */
  readonly invalid: readonly string[];
}

const LIFE_S = 3 * 3600;
/** Claims that the text of a token may have: no valid ones. */
const WRONG_CLAIMS: readonly JWTPayload[] = [
  { sub: '' },
  { sub: 'x'.repeat(300) },
  { sub: 'line\nbreak' },
  { sub: 'thrower', docs: { 'garbage/*': 'emperor' } },
  { sub: 'thrower', docs: { '**': 'owner' } },
  { sub: 'thrower', docs: 'garbage/*' },
  { docs: { 'garbage/*': 'owner' } },
];

/** A secret for a node of the run's own. */
export const newSecret = (): string => randomBytes(32).toString('hex');

/** All tokens, for a node whose secret is known. */
export async function tokensOfSecret(secret: string, org: string): Promise<GarbageTokens> {
  const now = Math.floor(Date.now() / 1000);
  const own = new TextEncoder().encode(secret);
  const other = new TextEncoder().encode(newSecret());
  const sign = (claims: JWTPayload, key = own): Promise<string> =>
    new SignJWT({ iat: now, exp: now + LIFE_S, ...claims }).setProtectedHeader({ alg: 'HS256' }).sign(key);
  const owner = { docs: { [`${org}/*`]: 'owner' } };
  const thrower = { sub: 'thrower', ...owner };
  const valid = await sign(thrower);
  return {
    bystander: await sign({ sub: 'bystander', ...owner }),
    valid,
    viewer: await sign({ sub: 'viewer', docs: { [`${org}/*`]: 'viewer' } }),
    foreign: await sign({ sub: 'foreigner', docs: { 'elsewhere/*': 'owner' } }),
    admin: await sign({ sub: 'administrator', admin: true }),
    invalid: [
      await sign({ ...thrower, iat: now - LIFE_S, exp: now - 3600 }),
      await sign({ ...thrower, nbf: now + 3600 }),
      await sign({ ...thrower, iat: now + 3600, exp: now + 7200 }),
      await sign(thrower, other),
      await sign({ ...thrower, admin: true }, new Uint8Array(32)),
      ...(await Promise.all(WRONG_CLAIMS.map((claims) => sign(claims)))),
      ...wrongTokens(valid),
    ],
  };
}

/** The tokens for a node of which one valid token is known. */
export const tokensOfToken = (valid: string): GarbageTokens => ({
  bystander: valid,
  valid,
  viewer: undefined,
  foreign: undefined,
  admin: undefined,
  invalid: wrongTokens(valid),
});

/** Tokens made of a valid one, without its key. */
function wrongTokens(valid: string): readonly string[] {
  const [head = '', payload = '', signature = ''] = valid.split('.');
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const deep = Buffer.from('['.repeat(4_000)).toString('base64url');
  return [
    ...['none', 'None', 'HS512', 'RS256', 'ES256', '', 7].map(
      (alg) => `${part({ alg })}.${payload}.${signature}`,
    ),
    `${part({ alg: 'none' })}.${payload}.`,
    `${part({ alg: 'HS256', kid: '../../../../dev/null' })}.${payload}.${signature}`,
    `${part({ alg: 'HS256', crit: ['exp'], jwk: {}, jku: 'http://127.0.0.1/' })}.${payload}.${signature}`,
    `${part({ alg: 'HS256', zip: 'DEF', b64: false })}.${payload}.${signature}`,
    `${head}.${part({ sub: 'thrower', admin: true, exp: 9_999_999_999 })}.${signature}`,
    `${head}.${deep}.${signature}`,
    `${deep}.${payload}.${signature}`,
    `${head}.${payload}.${signature.slice(0, -2)}`,
    `${head}.${payload}.`,
    `${head}.${payload}`,
    `${head}.${payload}.${signature}.${signature}.${signature}`,
    '..',
    'garbage',
    'x'.repeat(6_000),
    '__proto__',
  ];
}
