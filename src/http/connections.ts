// The ends of connections: answers to bytes that are no HTTP or that come too slowly, and to requests that Node itself
// refuses. Fastify does not see them. Requests that wait behind others on a connection are told when it has closed.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { bareAnswer } from '../bare-answer.ts';
import { bodyOf } from './api/refusals.ts';

const REASONS: ReadonlyMap<string, readonly [status: number, message: string]> = new Map([
  ['HPE_HEADER_OVERFLOW', [431, 'the headers are too large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'the request came too slowly']],
]);

/** Empty lines may come before the method. */
const MOST_METHOD_BYTES = 64;

/** An error of Node's event `clientError`. */
export interface ConnectionError {
  readonly code: string;
  /** A Buffer with the bytes that Node could not read, if there were some. */
  readonly rawPacket?: unknown;
}

/**
 * Ends connections. An answer that is written to a connection is taken for the answer to the first request on it that has
 * none yet, so an earlier request is ended without an answer.
 */
export class Connections {
  readonly #underWay = new WeakMap<Duplex, Map<IncomingMessage, ServerResponse>>();

  /** Call it for each request. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    let underWay = this.#underWay.get(socket);
    if (underWay === undefined) {
      const all = new Map<IncomingMessage, ServerResponse>();
      underWay = all;
      this.#underWay.set(socket, all);
      socket.once('close', () => closeAll(all));
    }
    const ofSocket = underWay.set(request, response);
    response.once('close', () => ofSocket.delete(request));
  }

  /** Runs when all requests that have come on this connection have ended. */
  whenAnswered(socket: Duplex, run: () => void): void {
    const last = [...(this.#underWay.get(socket)?.values() ?? [])].at(-1);
    if (last === undefined) run();
    else last.once('close', () => this.whenAnswered(socket, run));
  }

  /** Answers the bytes that came last, unless others wait for an answer, and closes the connection. */
  end(socket: Duplex, { code: errorCode, rawPacket }: ConnectionError): void {
    const underWay = [...(this.#underWay.get(socket) ?? [])];
    if (socket.writable && mayAnswer(underWay)) {
      const [status, message] = REASONS.get(errorCode) ?? [400, 'this is no HTTP request'];
      const [[request] = []] = underWay;
      const method = request === undefined ? methodIn(rawPacket) : request.method;
      socket.write(bareAnswer({ method, status, code: 'bad-message', message }));
    }
    socket.destroy();
  }
}

/** True if nothing is under way but one request that has not come whole and has no answer: the error is its own. */
function mayAnswer(underWay: readonly (readonly [IncomingMessage, ServerResponse])[]): boolean {
  const [first] = underWay;
  if (first === undefined) return true;
  const [request, response] = first;
  return underWay.length === 1 && !request.complete && !response.headersSent;
}

/**
 * The method of a request that Node has refused in its head. Undefined if the head came in several packets, of which Node shows
 * the last one, or too slowly.
 */
function methodIn(packet: unknown): string | undefined {
  if (!Buffer.isBuffer(packet)) return undefined;
  return /^[\r\n]*([A-Z]+) /.exec(packet.toString('latin1', 0, MOST_METHOD_BYTES))?.[1];
}

/**
 * Node emits `close` for the first answer of a connection alone. The answers that wait behind it would never end, and all
 * that is held for them would be held for ever.
 */
function closeAll(underWay: ReadonlyMap<IncomingMessage, ServerResponse>): void {
  for (const response of [...underWay.values()]) {
    if (response.socket !== null) continue;
    response.destroy();
    response.emit('close');
  }
}

/** For the server's event `checkExpectation`. */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(417, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(JSON.stringify(bodyOf('bad-message', 'this expectation is not met here')));
}
