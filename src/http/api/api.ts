// The HTTP API, everything below `/v1` but the socket: what holds for all of its routes. The routes themselves are in
// rooms (rooms.ts). A request passes, in this order: the bound on requests at one time, the caller and the access that
// the route demands, the caller's rate, the body, and its schema.
import fastifyCors from '@fastify/cors';
import fastifyHelmet from '@fastify/helmet';
import fastifyRateLimit from '@fastify/rate-limit';
import fastifyUnderPressure from '@fastify/under-pressure';
import type { FastifyInstance, FastifyPluginAsync, HTTPMethods, RouteOptions } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Config } from '../../../config/schema.ts';
import { demandAccess } from './access.ts';
import { takeJson } from './bodies.ts';
import { describeRoutes, serveDescription, servePage } from './description.ts';
import { answer, errorHandler, type OnInternalError, Refusal } from './refusals.ts';
import type { ApiApp, ApiParts, ApiRoom } from './room.ts';
import { ROOMS } from './rooms.ts';

export interface ApiOptions {
  readonly config: Pick<Config, 'http' | 'limits' | 'retention' | 'auth' | 'events'>;
  /** The version of this program. */
  readonly version: string;
  /** Undefined while the node starts. */
  readonly parts: () => ApiParts | undefined;
  readonly onInternalError: OnInternalError;
  readonly rooms?: readonly ApiRoom[];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer goes on for as long as its reader stays. The route bounds the number of its readers itself. */
    lasts?: boolean;
  }
}

const SECOND = 1_000;
/** Above this delay of the event loop, measured over a second, new requests are refused. */
const MOST_DELAY_MS = 1_000;
/** Users or addresses whose rates are remembered. Beyond it the one that called longest ago is forgotten. */
const RATES_KEPT = 10_000;
/** Time for which a browser remembers what it may send, s. */
const PREFLIGHT_S = 600;
const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'];

const NO_QUERY = z.strictObject({});

/** A plugin to be registered with the prefix `/v1`. */
export function api(options: ApiOptions): FastifyPluginAsync {
  const { config, rooms = ROOMS } = options;
  const parts = (): ApiParts => {
    const found = options.parts();
    if (found === undefined) throw new Refusal('unavailable', 'the node is starting', SECOND);
    return found;
  };
  return async (scope) => {
    const app: ApiApp = scope.withTypeProvider<ZodTypeProvider>();
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(serializerCompiler);
    app.setErrorHandler(errorHandler(options.onInternalError));
    app.setNotFoundHandler((_request, reply) =>
      answer(reply, new Refusal('not-found', 'there is no such path')),
    );
    takeJson(app);
    await secure(app);
    await answerOtherOrigins(app);
    await boundRequests(app, config.http.requests);
    await describeRoutes(app, options.version);
    await app.register(servePage);
    demandAccess(app, () => parts().callers);
    await boundRates(app, config);
    const methodsOf = new Map<string, Set<string>>();
    app.addHook(
      'onRoute',
      ({ routePath, method, schema, config: { access } = {} }: RouteOptions & { routePath: string }) => {
        if (access === undefined) return;
        // A route takes the query parameters that it describes and no others.
        if (schema !== undefined && schema.hide !== true) schema.querystring ??= NO_QUERY;
        const known = methodsOf.get(routePath) ?? new Set<string>();
        for (const each of [method].flat()) known.add(each);
        methodsOf.set(routePath, known);
      },
    );
    for (const room of rooms) room(app, { config, parts });
    serveDescription(app);
    refuseOtherMethods(app, methodsOf);
  };
}

/** Headers for browsers. Nothing of an answer runs, and no page shows it inside another one. */
async function secure(app: FastifyInstance): Promise<void> {
  await app.register(fastifyHelmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
      },
    },
    // Whether the node is reached over TLS, and under which names, is decided before it.
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  });
}

/**
 * Lets pages of `listen.origins` read the answers. Requests of any other origin have been refused by the server before they
 * come here.
 */
async function answerOtherOrigins(app: FastifyInstance): Promise<void> {
  await app.register(fastifyCors, {
    origin: true,
    credentials: true,
    // Else a request with the method OPTIONS that is no preflight gets an answer without a code.
    strictPreflight: false,
    methods: [...METHODS],
    exposedHeaders: ['ETag', 'Location', 'Retry-After', 'Allow'],
    maxAge: PREFLIGHT_S,
  });
}

async function boundRequests(app: FastifyInstance, most: number): Promise<void> {
  let count = 0;
  app.addHook('onRequest', async ({ routeOptions }, reply) => {
    if (routeOptions.config.lasts) return;
    if (count >= most) throw new Refusal('overloaded', 'this node works on too many requests', SECOND);
    count++;
    // Comes for every answer, also for one whose client has gone.
    reply.raw.once('close', () => {
      count--;
    });
  });
  await app.register(fastifyUnderPressure, {
    maxEventLoopDelay: MOST_DELAY_MS,
    pressureHandler: () => {
      throw new Refusal('overloaded', 'this node is overloaded', SECOND);
    },
  });
}

async function boundRates(app: FastifyInstance, { http, auth }: ApiOptions['config']): Promise<void> {
  await app.register(fastifyRateLimit, {
    max: http.requestsPerSecond,
    timeWindow: SECOND,
    cache: RATES_KEPT,
    // With auth.mode none all callers are the same user.
    keyGenerator: ({ caller, ip }) => (caller === null || auth.mode === 'none' ? ip : `user ${caller.sub}`),
    errorResponseBuilder: (_request, { ttl }) => new Refusal('rate-limited', 'too many requests', ttl),
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
  });
}

/** A path that has other methods is answered 405 with those methods. */
function refuseOtherMethods(app: FastifyInstance, methodsOf: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, known] of [...methodsOf]) {
    const others = METHODS.filter((method) => !known.has(method) && !(method === 'HEAD' && known.has('GET')));
    if (others.length === 0) continue;
    const allow = [...known].join(', ');
    app.route({
      url,
      method: others,
      schema: { hide: true },
      config: { access: 'open' },
      handler: (_request, reply) =>
        answer(reply.header('allow', allow), new Refusal('bad-message', `this path takes ${allow}`), 405),
    });
  }
}
