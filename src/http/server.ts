// The HTTP side of a node: health, and the page with its assets. It takes no part in editing. Sockets use the
// same port through the server's `upgrade` event.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import { type FastifyInstance, fastify } from 'fastify';
import type { Origins } from '../gateway/sockets/origins.ts';
import { type MetricsText, serveMetrics } from './metrics.ts';

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  /**
   * The reason why the node cannot serve: it starts, leaves, is fenced, or its database fails. Undefined if
   * it can serve.
   */
  readonly unready: () => string | undefined;
  readonly origins: Pick<Origins, 'refusal' | 'refusalOfProbe'>;
  /** Left out if the metrics have an address of their own. */
  readonly metrics?: MetricsText;
}

/** Probes reveal nothing of documents, so a request for them may use any host name. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/** The files are bundled by web/build.ts. */
const PUBLIC = fileURLToPath(new URL('../../web/public/', import.meta.url));
const HASHED = /-[A-Za-z0-9_]{8,}\.(?:js|css|woff2|svg)(?:\.(?:map|br|gz))?$/;
const PAGE_POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self'; connect-src 'self' ws: wss:; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The returned server does not listen yet. */
export async function createHttpServer(options: HttpOptions): Promise<FastifyInstance> {
  const app = fastify({ logger: false, bodyLimit: 1024 * 1024, forceCloseConnections: true });
  app.addHook('onRequest', async (request, reply) => {
    const { origins } = options;
    const isProbe = PROBES.has(request.url.split('?', 1)[0] ?? '');
    const message = isProbe ? origins.refusalOfProbe(request.headers) : origins.refusal(request.headers);
    if (message !== undefined) return reply.code(403).send({ code: 'forbidden', message, retryable: false });
  });
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    if (request.url.startsWith('/v1') || request.url.endsWith('z')) reply.header('cache-control', 'no-store');
  });
  app.get('/healthz', async () => ({ status: 'alive' }));
  app.get('/readyz', async (_request, reply) => {
    const message = options.unready();
    if (message === undefined) return { status: 'ready' };
    return reply.code(503).send({ code: 'unavailable', message, retryable: true });
  });
  if (options.metrics !== undefined) serveMetrics(app, options.metrics);
  app.setNotFoundHandler(async (_request, reply) =>
    reply.code(404).send({ code: 'not-found', message: 'there is nothing here', retryable: false }),
  );
  app.setErrorHandler(async (error: { statusCode?: number; message: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    return reply
      .code(status)
      .send({ code: status < 500 ? 'bad-message' : 'internal', message: error.message, retryable: false });
  });
  if (existsSync(PUBLIC)) {
    await app.register(fastifyStatic, {
      root: PUBLIC,
      cacheControl: false,
      preCompressed: true,
      setHeaders: (reply, path) => {
        reply.header('cache-control', HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache');
        reply.header('content-security-policy', PAGE_POLICY);
        reply.header('referrer-policy', 'same-origin');
      },
    });
  }
  return app;
}

/** Listens, and resolves with the port. */
export async function listen(
  app: FastifyInstance,
  options: Pick<HttpOptions, 'host' | 'port'>,
): Promise<number> {
  await app.listen({ host: options.host, port: options.port });
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : options.port;
}
