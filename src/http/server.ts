// The HTTP side of a node: health, the API below `/v1` (api/), and the page with its assets. Sockets use the same port
// through the server's `upgrade` event. Connections that are slow or idle are closed here.
import { existsSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import { type FastifyInstance, fastify } from 'fastify';
import type { Config } from '../../config/schema.ts';
import type { Origins } from '../gateway/sockets/origins.ts';
import { type ApiOptions, api } from './api/api.ts';
import { answer, errorHandler, Refusal } from './api/refusals.ts';
import type { RequestCounts } from './api/request-counts.ts';
import { Connections, refuseExpectation } from './connections.ts';
import { type ListenerCertificate, TLS } from './listener-certificate.ts';
import { type MetricsText, serveMetrics } from './metrics.ts';
import { takeUpgrades, UPGRADES, type UpgradeListener } from './upgrades.ts';

export interface HttpOptions extends Omit<ApiOptions, 'config'> {
  readonly config: Pick<Config, 'http' | 'limits' | 'retention' | 'auth' | 'listen' | 'events'>;
  /**
   * The reason why the node cannot serve: it starts, leaves, is fenced, or its database fails. Undefined if
   * it can serve.
   */
  readonly unready: () => string | undefined;
  readonly origins: Pick<Origins, 'refusal' | 'refusalOfProbe'>;
  /** Returns what takes the upgrades to WebSocket, or undefined while the node starts. */
  readonly toSockets: () => UpgradeListener | undefined;
  /** Left out if the metrics have an address of their own. */
  readonly metrics?: MetricsText;
  readonly counts?: RequestCounts;
  /** With it the server speaks TLS alone. */
  readonly certificate?: ListenerCertificate;
}

/** How often connections are looked through for those that are too slow, at most. */
const LOOK_EVERY_MS = 5_000;
/** A small body. Routes that take more say so. */
const BODY_BYTES = 64 * 1024;
/** More than Node reads of a head, so that a name which is too long is told to be no name. */
const PATH_PART_CHARACTERS = 64 * 1024;

/** Probes reveal nothing of documents, so a request for them may use any host name. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/** A node that is not ready may be asked again after this time. */
const READY_AGAIN_MS = 1_000;

/** The files are bundled by web/build.ts. */
const PUBLIC = fileURLToPath(new URL('../../web/public/', import.meta.url));
const HASHED = /-[A-Za-z0-9_]{8,}\.(?:js|css|woff2|svg)(?:\.(?:map|br|gz))?$/;
const PAGE_POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self'; connect-src 'self' ws: wss:; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The returned server does not listen yet. */
export async function createHttpServer(options: HttpOptions): Promise<FastifyInstance> {
  const { certificate, config } = options;
  const { http, listen: listener } = config;
  const times = {
    headersTimeout: http.headersMs,
    connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, http.headersMs),
    // Node would answer without a code.
    requireHostHeader: false,
    ...UPGRADES,
  };
  const connections = new Connections();
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    trustProxy: listener.trustedProxies.length > 0 && [...listener.trustedProxies],
    forceCloseConnections: true,
    requestTimeout: http.requestMs,
    keepAliveTimeout: http.idleMs,
    routerOptions: { maxParamLength: PATH_PART_CHARACTERS },
    http: times,
    clientErrorHandler: (error, socket) => connections.end(socket, error),
    // These errors come before all hooks: for paths that cannot be decoded.
    frameworkErrors: ({ statusCode = 400 }, _request, reply) => {
      reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
      void answer(reply, new Refusal('bad-message', 'the path cannot be decoded'), statusCode);
    },
    ...(certificate === undefined
      ? {}
      : {
          serverFactory: (handler: RequestListener) => {
            const limits = { ...times, requestTimeout: http.requestMs, keepAliveTimeout: http.idleMs };
            const handshake = { ...certificate.pair, ...TLS, handshakeTimeout: http.headersMs };
            const server = createServer({ ...limits, ...handshake }, handler);
            server.once('close', certificate.watch(server));
            return server;
          },
        }),
  });
  takeUpgrades(app.server, connections, options.toSockets);
  app.server.on('request', (request, response) => connections.watch(request, response));
  app.server.on('checkExpectation', refuseExpectation);
  options.counts?.watch(app);
  app.addHook('onRequest', async (request, reply) => {
    const { origins } = options;
    // For every answer: a path can be written in many ways. The files of the page replace it.
    reply.header('cache-control', 'no-store');
    // Node has served it by itself, and drops what came in one packet with its end. The client learns so that it was not served.
    if (request.headers.upgrade !== undefined) reply.header('connection', 'close');
    if (request.raw.httpVersion === '1.1' && request.headers.host === undefined) {
      const refusal = new Refusal('bad-message', 'the header Host is missing');
      return await answer(reply, refusal);
    }
    const isProbe = PROBES.has(request.url.split('?', 1)[0] ?? '');
    const message = isProbe ? origins.refusalOfProbe(request.headers) : origins.refusal(request.headers);
    if (message !== undefined) return reply.code(403).send({ code: 'forbidden', message, retryable: false });
  });
  app.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
  });
  app.get('/healthz', async () => ({ status: 'alive' }));
  app.get('/readyz', async (_request, reply) => {
    const message = options.unready();
    if (message === undefined) return { status: 'ready' };
    return await answer(reply, new Refusal('unavailable', message, READY_AGAIN_MS));
  });
  if (options.metrics !== undefined) serveMetrics(app, options.metrics);
  app.setNotFoundHandler(async (_request, reply) =>
    reply.code(404).send({ code: 'not-found', message: 'there is nothing here', retryable: false }),
  );
  app.setErrorHandler(errorHandler(options.onInternalError));
  await app.register(api(options), { prefix: '/v1' });
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
  options: { readonly host: string; readonly port: number },
): Promise<number> {
  await app.listen({ host: options.host, port: options.port });
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : options.port;
}
