// The routes by which a page begins, looks at, refreshes and ends its session (docs/protocol.md, LOGIN). The cookie is
// set here alone.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Unidentified } from '../../identity/identity.ts';
import { loginCookieOf, setLoginCookie } from '../../identity/logins/login-cookie.ts';
import type { LoginAnswer, Logins } from '../../identity/logins/logins.ts';
import { callerOf } from '../api/access.ts';
import { Refusal } from '../api/refusals.ts';
import type { ApiRoom, RoomOptions } from '../api/room.ts';
import { demandCsrf } from './login-caller.ts';

const SESSION = z
  .object({
    csrf: z.string().describe('The value of the header x-csrf-token for requests that change something.'),
    expiresAt: z
      .int()
      .describe('When the cookie has to be refreshed, in milliseconds since 1970, by the clock of the node.'),
    sub: z.string().describe('The user.'),
    name: z.string().optional().describe('The name of the user, if the token had one.'),
  })
  .describe('A session of a browser.');

export const sessionRoutes: ApiRoom = (app, options) => {
  app.post(
    '/session',
    {
      config: { access: 'caller' },
      schema: {
        summary: 'Begin a session',
        description: 'Takes a token as `Authorization: Bearer`, and sets the session cookie.',
        response: { 200: SESSION },
      },
    },
    async (request, reply) => {
      const user = callerOf(request);
      // Otherwise a session could go on for ever by beginning the next one.
      if (user.login !== undefined)
        throw new Refusal('unauthenticated', 'a session begins with a token: Authorization: Bearer');
      return answered(reply, await loginsOf(options).begin(user));
    },
  );
  app.get(
    '/session',
    {
      config: { access: 'open' },
      schema: {
        summary: 'Look at the session of the cookie',
        description:
          'Answers also when the cookie has to be refreshed, so that a page which was loaded anew can do it.',
        response: { 200: SESSION },
      },
    },
    async (request, reply) => answered(reply, await loginsOf(options).look(cookieOf(request))),
  );
  app.post(
    '/session/refresh',
    {
      config: { access: 'open' },
      schema: {
        summary: 'Refresh the session',
        description:
          'Replaces the cookie. A replaced cookie that is shown later than 10 seconds ends the session.',
        response: { 200: SESSION },
      },
    },
    async (request, reply) => {
      const logins = loginsOf(options);
      const cookie = cookieOf(request);
      demandCsrf(request, cookie, logins);
      return answered(reply, await logins.refresh(cookie));
    },
  );
  app.delete(
    '/session',
    {
      config: { access: 'open' },
      schema: {
        summary: 'End the session',
        description: 'Removes the cookie, and closes the sockets of the session on every node.',
        response: { 204: z.null().describe('The session has ended.') },
      },
    },
    async (request, reply) => {
      const logins = loginsOf(options);
      const cookie = cookieOf(request);
      demandCsrf(request, cookie, logins);
      const ended = await logins.end(cookie);
      // A session that had ended before is over as well.
      if (ended !== 'ended' && ended.code === 'unavailable') throw refusalOf(ended);
      return reply.header('set-cookie', setLoginCookie('', 0)).code(204).send(null);
    },
  );
};

function loginsOf({ parts }: RoomOptions): Logins {
  const { administration } = parts();
  if (administration === undefined)
    throw new Refusal('not-found', 'there are no sessions with auth.mode none');
  return administration.logins;
}

function cookieOf({ headers }: FastifyRequest): string {
  const cookie = loginCookieOf(headers.cookie);
  if (cookie === undefined)
    throw new Refusal('unauthenticated', 'there is no session: POST /v1/session begins one');
  return cookie;
}

function answered(reply: FastifyReply, answer: LoginAnswer | Unidentified): z.infer<typeof SESSION> {
  if ('code' in answer) {
    if (answer.code === 'unauthenticated') reply.header('set-cookie', setLoginCookie('', 0));
    throw refusalOf(answer);
  }
  const { cookie, cookieMs, csrf, expiresAt, user } = answer;
  if (cookie !== undefined)
    reply.header('set-cookie', setLoginCookie(cookie, Math.max(1, Math.floor(cookieMs / 1_000))));
  const { sub, name } = user;
  return { csrf, expiresAt, sub, ...(name === undefined ? {} : { name }) };
}

const refusalOf = ({ code, message, retryAfterMs }: Unidentified): Refusal =>
  new Refusal(code, message, retryAfterMs);
