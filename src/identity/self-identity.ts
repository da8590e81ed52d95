// Lets the node itself in, for its test at the start. The node shows a random token that no other process knows. It is
// good for one document, which nobody can create by it, and only until the test has ended.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Identity, Unidentified } from './identity.ts';
import type { User } from './user.ts';

const TOKEN_BYTES = 32;

export class SelfIdentity implements Identity {
  readonly token = randomBytes(TOKEN_BYTES).toString('base64url');
  readonly #inner: Identity;
  readonly #user: User;
  #hasEnded = false;

  /** `inner` identifies everybody else. */
  constructor(inner: Identity, document: string) {
    this.#inner = inner;
    this.#user = {
      sub: 'troupe',
      name: undefined,
      isAdmin: false,
      expiresAt: Number.POSITIVE_INFINITY,
      issuedAt: Number.POSITIVE_INFINITY,
      tokenId: undefined,
      login: undefined,
      claims: {},
      roleIn: (name) => (name === document ? 'viewer' : undefined),
      patternsIn: () => [],
    };
  }

  identify(token: string | undefined, cookie?: string): User | Promise<User | Unidentified> {
    return this.isOwn(token) ? this.#user : this.#inner.identify(token, cookie);
  }

  async renew(user: User): Promise<User | Unidentified> {
    return user === this.#user ? user : this.#inner.renew(user);
  }

  /** Whether the node itself shows this token. */
  readonly isOwn = (token: string | undefined): boolean =>
    !this.#hasEnded && token !== undefined && isEqual(token, this.token);

  /** From now on the token is no token any more. */
  end(): void {
    this.#hasEnded = true;
  }
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
