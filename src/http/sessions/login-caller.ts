// Knows a caller by the cookie of a session. A browser adds the cookie to requests by itself, so a request that changes
// something has to show by a header that the page itself has made it.
import type { FastifyRequest } from 'fastify';
import { type Identity, isUser } from '../../identity/identity.ts';
import { loginCookieOf } from '../../identity/logins/login-cookie.ts';
import type { Logins } from '../../identity/logins/logins.ts';
import type { CallerWay } from '../api/access.ts';
import { Refusal } from '../api/refusals.ts';

export const CSRF_HEADER = 'x-csrf-token';

/** Methods that change nothing. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD']);

export function byLogin(identity: Identity, logins: Pick<Logins, 'isCsrfOf'>): CallerWay {
  return async (request) => {
    const cookie = loginCookieOf(request.headers.cookie);
    if (cookie === undefined) return undefined;
    const found = await identity.identify(undefined, cookie);
    if (!isUser(found)) throw new Refusal(found.code, found.message, found.retryAfterMs);
    if (!SAFE.has(request.method)) demandCsrf(request, cookie, logins);
    return found;
  };
}

export function demandCsrf(
  { headers }: FastifyRequest,
  cookie: string,
  logins: Pick<Logins, 'isCsrfOf'>,
): void {
  const shown = headers[CSRF_HEADER];
  if (typeof shown !== 'string' || !logins.isCsrfOf(cookie, shown))
    throw new Refusal(
      'forbidden',
      `the header ${CSRF_HEADER} is not the csrf of this session: GET /v1/session tells it`,
    );
}
