// `/metrics`, on the main listener or on an address of its own. The figures name no document and no user, but they
// tell how much a node is used, so strangers do not get them: on the main listener, which clients reach, only
// programs of this machine read them; an address of its own is for the network of those who operate the node.
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { isLoopback } from '../../config/check.ts';
import { Origins } from '../gateway/sockets/origins.ts';
import { Connections } from './connections.ts';

export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Headers of a proxy that passes a request of somebody else on. */
const PASSED_ON = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;

/** Serves `/metrics` on the main listener, to programs of this machine. */
export function serveMetrics(app: FastifyInstance, metrics: MetricsText): void {
  addRoute(app, metrics, refusalOfStranger);
}

/** A listener that serves nothing else. The returned server does not listen yet. */
export function createMetricsServer(metrics: MetricsText, host: string): FastifyInstance {
  const connections = new Connections();
  const app = fastify({
    logger: false,
    bodyLimit: 1024,
    forceCloseConnections: true,
    clientErrorHandler: (error, socket) => connections.end(socket, error),
  });
  app.server.on('request', (request, response) => connections.watch(request, response));
  // Where only programs of this machine reach the address, a web page must not, under whatever name it calls it.
  const auth = isLoopback(host) ? 'none' : 'jwt';
  const origins = new Origins({ origins: [], publicUrl: null, auth });
  addRoute(app, metrics, (request) => origins.refusal(request.headers));
  app.setNotFoundHandler(async (_request, reply) =>
    reply.code(404).send({ code: 'not-found', message: 'there is only /metrics here', retryable: false }),
  );
  return app;
}

function addRoute(
  app: FastifyInstance,
  metrics: MetricsText,
  refusal: (request: FastifyRequest) => string | undefined,
): void {
  app.get('/metrics', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    const message = refusal(request);
    if (message !== undefined) return reply.code(403).send({ code: 'forbidden', message, retryable: false });
    return reply.header('content-type', metrics.contentType).send(await metrics.text());
  });
}

function refusalOfStranger({ socket, headers, hostname }: FastifyRequest): string | undefined {
  const isFromHere = isLoopback(socket.remoteAddress?.replace(/^::ffff:/, '') ?? '');
  const isPassedOn = PASSED_ON.some((name) => headers[name] !== undefined);
  return isFromHere && !isPassedOn && isLoopback(hostname.replace(/^\[|\]$/g, ''))
    ? undefined
    : 'here only programs of this machine may read the metrics: metrics.listen gives them an address of their own';
}
