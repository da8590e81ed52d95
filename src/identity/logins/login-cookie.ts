// The cookie of a login: `selector.secret`. The selector stays the same while the login lasts; the secret is another after
// each refresh. The database has hashes of both, so a reader of the database can make no cookie. This file does no I/O.
import { createHash, createHmac } from 'node:crypto';
import type { LoginId } from '../store.ts';

/** Browsers take a cookie of this prefix only with `Secure`, with `Path=/` and without a domain. */
export const LOGIN_COOKIE = '__Host-troupe';

export const SELECTOR_BYTES = 16;
export const SECRET_BYTES = 32;

export interface LoginCookie {
  readonly selector: Buffer;
  readonly secret: Buffer;
}

const VALUE = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

/** Undefined if the text is not the value of such a cookie. */
export function parseLoginCookie(value: string): LoginCookie | undefined {
  const [, selector, secret] = VALUE.exec(value) ?? [];
  if (selector === undefined || secret === undefined) return undefined;
  return { selector: Buffer.from(selector, 'base64url'), secret: Buffer.from(secret, 'base64url') };
}

export const loginCookieText = ({ selector, secret }: LoginCookie): string =>
  `${selector.toString('base64url')}.${secret.toString('base64url')}`;

/**
 * The value of the login's cookie in a header `Cookie`. Undefined if there is none, or if there are several: a browser
 * sends one, and of several it would be unclear which one counts.
 */
export function loginCookieOf(header: string | undefined): string | undefined {
  const values = (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${LOGIN_COOKIE}=`))
    .map((pair) => pair.slice(LOGIN_COOKIE.length + 1));
  return values.length === 1 ? values[0] : undefined;
}

/** The header `Set-Cookie`. A `maxAgeS` of 0 removes the cookie. */
export const setLoginCookie = (value: string, maxAgeS: number): string =>
  `${LOGIN_COOKIE}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; Secure; SameSite=Strict`;

export const loginIdOf = ({ selector }: LoginCookie): LoginId => hash(selector).toString('hex');

export const hash = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/**
 * The secret that follows another one. The same secret and salt make the same successor, so a browser whose refresh was
 * answered and lost, or which has refreshed twice at once, gets the same cookie again.
 */
export const nextSecret = (secret: Uint8Array, salt: Uint8Array): Buffer =>
  createHmac('sha256', secret).update('next').update(salt).digest();

/** The token that a page shows with its writes. It stays the same while the login lasts, and tells nothing of the cookie. */
export const csrfOf = ({ selector }: LoginCookie): string =>
  createHmac('sha256', selector).update('csrf').digest('base64url');
