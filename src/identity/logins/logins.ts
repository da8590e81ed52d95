// The logins of browsers. A login begins with a token, lasts as long as its cookie is refreshed, and has the claims of that
// token. It knows no sockets and no HTTP.
//
// A secret is good until it is replaced, and for REUSE_MS more: two windows of a browser may refresh at once, and requests
// with the former secret are on their way then. Both refreshes get the same new secret. After that time the former secret
// is a copy that somebody else has kept, or the present one is: the login ends for both.
import { timingSafeEqual } from 'node:crypto';
import { StoreUnavailable } from '../../../actors/storage/store.ts';
import { refused, type Unidentified } from '../identity.ts';
import type { IdentityStore, LoginId, LoginRow, LoginSpans, LoginTimes } from '../store.ts';
import type { Claims, User } from '../user.ts';
import {
  csrfOf,
  hash,
  type LoginCookie,
  loginCookieText,
  loginIdOf,
  nextSecret,
  parseLoginCookie,
  SECRET_BYTES,
  SELECTOR_BYTES,
} from './login-cookie.ts';

export interface LoginsOptions extends LoginSpans {
  readonly store: Pick<IdentityStore, 'createLogin' | 'findLogin' | 'rotateLogin' | 'endLogin'>;
  /** Logins of one user. The oldest ends when there is another one. */
  readonly most: number;
  /** The user of claims that were valid when the login began. */
  readonly userOf: (claims: Claims) => User | Unidentified;
  /** ms since 1970. */
  readonly time: () => number;
  readonly randomBytes: (count: number) => Buffer;
  /** Is told that a login has ended, before the other nodes know. */
  readonly onEnded: (login: LoginId) => void;
  /** A secret was shown that had been replaced. */
  readonly onReuse: (sub: string) => void;
}

/** A login as its browser is told. */
export interface LoginAnswer {
  /** The value of the cookie. Undefined: the browser keeps the cookie that it has shown. */
  readonly cookie: string | undefined;
  /** How long the browser keeps the cookie. */
  readonly cookieMs: number;
  readonly csrf: string;
  /** When the cookie has to be refreshed, ms since 1970. */
  readonly expiresAt: number;
  readonly user: User;
}

/** How long the former secret is good after a refresh. */
export const REUSE_MS = 10_000;

export class Logins {
  readonly #options: LoginsOptions;

  constructor(options: LoginsOptions) {
    this.#options = options;
  }

  /** Begins a login of a user who has shown a token. */
  begin(user: User): Promise<LoginAnswer | Unidentified> {
    return this.#asked(async () => {
      const { store, randomBytes, most } = this.#options;
      const cookie = { selector: randomBytes(SELECTOR_BYTES), secret: randomBytes(SECRET_BYTES) };
      const { iat, ...claims } = user.claims;
      const login = {
        id: loginIdOf(cookie),
        secret: hash(cookie.secret),
        sub: user.sub,
        // A token without `iat` counts as issued when the login begins, not as long ago as possible.
        claims: JSON.stringify({ ...claims, iat: iat ?? Math.floor(this.#options.time() / 1000) }),
      };
      const times = await store.createLogin(login, this.#options, most);
      return this.#answer(cookie, times, loginCookieText(cookie), user);
    });
  }

  /** The user of a cookie. */
  use(value: string): Promise<User | Unidentified> {
    return this.#asked(async () => {
      const found = await this.#find(value);
      return 'code' in found ? found : this.#userOf(found.id, found.row);
    });
  }

  /** The login of a cookie, which may have to be refreshed. */
  look(value: string): Promise<LoginAnswer | Unidentified> {
    return this.#asked(async () => {
      const found = await this.#find(value);
      if ('code' in found) return found;
      const user = this.#userOf(found.id, found.row, true);
      return 'code' in user ? user : this.#answer(found.cookie, found.row, undefined, user);
    });
  }

  /** Replaces the secret. */
  refresh(value: string): Promise<LoginAnswer | Unidentified> {
    return this.#asked(async () => {
      const { store, randomBytes } = this.#options;
      const found = await this.#find(value);
      if ('code' in found) return found;
      const { id, cookie, row } = found;
      const user = this.#userOf(id, row, true);
      if ('code' in user) return user;
      const salt = randomBytes(SELECTOR_BYTES);
      const secret = nextSecret(cookie.secret, salt);
      const shown = hash(cookie.secret);
      const times = await store.rotateLogin({ id, shown, next: hash(secret), salt }, this.#options);
      if (times !== undefined)
        return this.#answer(cookie, times, loginCookieText({ ...cookie, secret }), user);
      return this.#again(value);
    });
  }

  /** The user of a login as it is now. */
  renew(id: LoginId): Promise<User | Unidentified> {
    return this.#asked(async () => {
      const row = await this.#options.store.findLogin(id);
      return row === undefined ? refused(ENDED) : this.#userOf(id, row);
    });
  }

  /** Ends the login of a cookie. It does not have to be fresh. */
  end(value: string): Promise<'ended' | Unidentified> {
    return this.#asked(async () => {
      const found = await this.#find(value);
      if ('code' in found) return found;
      await this.#end(found.id);
      return 'ended';
    });
  }

  isCsrfOf(value: string, csrf: string | undefined): boolean {
    const cookie = parseLoginCookie(value);
    if (cookie === undefined || csrf === undefined) return false;
    const [left, right] = [Buffer.from(csrfOf(cookie)), Buffer.from(csrf)];
    return left.length === right.length && timingSafeEqual(left, right);
  }

  /** Another refresh has replaced the shown secret a moment ago: the answer is the same as to that one. */
  async #again(value: string): Promise<LoginAnswer | Unidentified> {
    const found = await this.#find(value);
    if ('code' in found) return found;
    const { id, cookie, row } = found;
    const user = this.#userOf(id, row, true);
    if ('code' in user) return user;
    const secret = row.salt === undefined ? undefined : nextSecret(cookie.secret, row.salt);
    if (secret === undefined || !hash(secret).equals(row.secret)) return refused(ENDED);
    return this.#answer(cookie, row, loginCookieText({ ...cookie, secret }), user);
  }

  /** Finds the login, and ends it if the secret was replaced too long ago. */
  async #find(value: string): Promise<{ id: LoginId; cookie: LoginCookie; row: LoginRow } | Unidentified> {
    const { store, onReuse } = this.#options;
    const cookie = parseLoginCookie(value);
    if (cookie === undefined) return refused('the session cookie cannot be read');
    const id = loginIdOf(cookie);
    const row = await store.findLogin(id);
    if (row === undefined) return refused(ENDED);
    const shown = hash(cookie.secret);
    const isPresent = shown.equals(row.secret);
    const isFormer = row.former !== undefined && shown.equals(row.former);
    if (isPresent || (isFormer && (row.rotatedAgoMs ?? REUSE_MS) < REUSE_MS)) return { id, cookie, row };
    // The first part of a cookie is as secret as the second, so nobody else can end the login by a guess.
    onReuse(row.sub);
    await this.#end(id);
    return refused('the session has ended, because an old cookie of it was shown: log in again');
  }

  async #end(id: LoginId): Promise<void> {
    await this.#options.store.endLogin(id);
    this.#options.onEnded(id);
  }

  /** `mayBeStale`: the cookie may have to be refreshed. */
  #userOf(id: LoginId, row: LoginRow, mayBeStale = false): User | Unidentified {
    if (row.freshLeftMs <= 0 && !mayBeStale) return refused('the session has to be refreshed');
    const user = this.#options.userOf(JSON.parse(row.claims) as Claims);
    if ('code' in user) return user;
    return { ...user, login: id, expiresAt: this.#options.time() + row.freshLeftMs };
  }

  #answer(cookie: LoginCookie, times: LoginTimes, value: string | undefined, user: User): LoginAnswer {
    return {
      cookie: value,
      cookieMs: times.idleLeftMs,
      csrf: csrfOf(cookie),
      expiresAt: Math.floor(this.#options.time() + times.freshLeftMs),
      user,
    };
  }

  async #asked<T>(act: () => Promise<T | Unidentified>): Promise<T | Unidentified> {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return { code: 'unavailable', message: 'the sessions are out of reach', retryAfterMs: RETRY_AFTER_MS };
    }
  }
}

const ENDED = 'the session has ended: log in again';
const RETRY_AFTER_MS = 1_000;
