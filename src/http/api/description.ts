// The description of the API: `/v1/openapi.json` (OpenAPI 3.1), made from the schemas of the routes, and a page to read
// it in a browser. The page loads nothing from elsewhere.
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyPluginAsync } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { LOGIN_COOKIE } from '../../identity/logins/login-cookie.ts';
import type { ApiApp } from './room.ts';

export const OPENAPI = '/openapi.json';
const PAGE = '/reference';
/** The page's library sets styles on its elements, and needs that. Its scripts are files of this node. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Describes the routes that are added to `app` from now on. */
export async function describeRoutes(app: ApiApp, version: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Troupe',
        version,
        description:
          'Documents over HTTP. The rules are in docs/protocol.md; every error is `{code, message, retryable}`.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This node' }],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: LOGIN_COOKIE,
            description: 'Requests that change something need the header x-csrf-token beside it.',
          },
        },
      },
      security: [{ bearer: [] }, { session: [] }, {}],
    },
    transform: jsonSchemaTransform,
  });
}

/** Serves the page. Its routes are open, so call it before the access of routes is demanded. */
export const servePage: FastifyPluginAsync = async (app) => {
  app.addHook('onRequest', async (request, reply) => {
    // The page names its files from where it is.
    if (request.url.replace(/\?.*/, '').endsWith(PAGE)) return await reply.redirect(`${app.prefix}${PAGE}/`);
  });
  // The library sets headers of its own for files.
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  await app.register(fastifySwaggerUi, {
    routePrefix: PAGE,
    staticCSP: PAGE_POLICY,
    uiConfig: { docExpansion: 'list', persistAuthorization: false, validatorUrl: null },
  });
};

/** Serves the description. Call it when all routes have been added. */
export function serveDescription(app: ApiApp): void {
  let text: string | undefined;
  app.get(OPENAPI, { schema: { hide: true }, config: { access: 'open' } }, async (_request, reply) => {
    text ??= JSON.stringify(app.swagger());
    return reply.header('content-type', 'application/json; charset=utf-8').send(text);
  });
}
