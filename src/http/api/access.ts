// Finds out the caller of a request, and checks its rights. Every route declares the access that it demands, as `config.access`; a route without
// it does not start. It is checked before the body is read. How a caller is known is decided by the ways that are
// given: a route never looks at tokens.
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { NOT_FOUND } from '../../../actors/link/missing-document.ts';
import type { Role } from '../../../protocol/messages.ts';
import { parseDocumentName } from '../../../protocol/names.ts';
import { isAtLeast, isRole } from '../../../protocol/roles.ts';
import { type Identity, isUser } from '../../identity/identity.ts';
import { decidedRole, type User } from '../../identity/user.ts';
import { Refusal } from './refusals.ts';

/**
 * `open`: for everyone. `caller`: for every known user. `admin`: for users with the right to administer. A role: for
 * users who have at least this role in the document that the parameters `org` and `doc` name.
 */
export type Access = 'open' | 'caller' | 'admin' | Role;

/** A document that a caller has a right in. */
export interface DocumentName {
  readonly org: string;
  readonly doc: string;
  /** `org/doc` */
  readonly name: string;
}

export interface NamedDocument extends DocumentName {
  readonly role: Role;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    /** Set on routes that are not open. */
    caller: User | null;
    /** Set on routes that demand a role. */
    named: NamedDocument | null;
  }
}

/**
 * One way to know a caller. Undefined: the request does not use this way, and the next one is asked. Throws a Refusal
 * if the request uses it and is wrong.
 */
export type CallerWay = (request: FastifyRequest) => Promise<User | undefined>;

/** Checks the access of every route that is added to `app` from now on. */
export function demandAccess(app: FastifyInstance, ways: () => readonly CallerWay[]): void {
  app.decorateRequest('caller', null);
  app.decorateRequest('named', null);
  app.addHook('onRoute', ({ url, config }: RouteOptions) => {
    if (config?.access === undefined) throw new Error(`the route ${url} does not say who may use it`);
  });
  app.addHook('onRequest', async (request) => {
    const { access } = request.routeOptions.config;
    // A path that is not known is answered without a look at its caller.
    if (access === undefined || access === 'open') return;
    const caller = await callerBy(ways(), request);
    request.caller = caller;
    if (access === 'admin' && !caller.isAdmin)
      throw new Refusal('forbidden', 'only a user with the claim admin may do this');
    if (isRole(access)) request.named = await named(request, caller, access);
  });
}

/** The user who calls, on a route that is not open. */
export function callerOf({ caller }: FastifyRequest): User {
  if (caller === null) throw new Error('the route does not demand a caller');
  return caller;
}

/** The document of the request, on a route that demands a role. */
export function documentOf({ named }: FastifyRequest): NamedDocument {
  if (named === null) throw new Error('the route does not demand a role');
  return named;
}

/** Throws `not-found` for a document in which the user has no right, and `forbidden` for too low a role. */
export async function roleOf(user: User, name: string, least: Role): Promise<Role> {
  const answer = await user.roleIn(name);
  if (answer === 'unavailable')
    throw new Refusal(answer, 'your role in this document cannot be decided at the moment', DECIDED_AGAIN_MS);
  const role = decidedRole(answer);
  // The document is not looked for, so not even the time of the answer tells whether it exists.
  if (role === undefined) throw new Refusal('not-found', NOT_FOUND);
  if (!isAtLeast(role, least))
    throw new Refusal('forbidden', `your role in this document is ${role}: at least ${least} is needed`);
  return role;
}

/** The service that decides about roles may answer by then. */
const DECIDED_AGAIN_MS = 1_000;

async function callerBy(ways: readonly CallerWay[], request: FastifyRequest): Promise<User> {
  for (const way of ways) {
    const user = await way(request);
    if (user !== undefined) return user;
  }
  throw new Refusal('unauthenticated', 'a token is needed: Authorization: Bearer');
}

async function named(request: FastifyRequest, caller: User, least: Role): Promise<NamedDocument> {
  const { org, doc } = namesOf(request.params);
  const name = `${org}/${doc}`;
  return { org, doc, name, role: await roleOf(caller, name, least) };
}

function namesOf(params: unknown): { readonly org: string; readonly doc: string } {
  const { org = '', doc = '' } = Object.assign({ org: '', doc: '' }, params);
  const names = parseDocumentName(`${org}/${doc}`);
  if (names === undefined) throw new Refusal('bad-name', 'no name of a document');
  return names;
}

/** A caller shows a token as `Authorization: Bearer`. With `auth.mode: none` everyone is known without one. */
export function byBearer(identity: Identity): CallerWay {
  return async ({ headers: { authorization = '' } }) => {
    const token = /^Bearer +([^\s]+) *$/i.exec(authorization)?.[1];
    const found = await identity.identify(token);
    if (isUser(found)) return found;
    if (token === undefined && found.code === 'unauthenticated') return undefined;
    throw new Refusal(found.code, found.message, found.retryAfterMs);
  };
}
