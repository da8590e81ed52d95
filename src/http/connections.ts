// The ends of connections: answers to bytes that are no HTTP or that come too slowly, and to requests that Node itself
// refuses. Fastify does not see them. Requests that wait behind others on a connection are told when it has closed.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { bodyOf } from './api/refusals.ts';

const REASONS: ReadonlyMap<string, readonly [status: number, message: string]> = new Map([
  ['HPE_HEADER_OVERFLOW', [431, 'the headers are too large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'the request came too slowly']],
]);

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
  end(socket: Duplex, errorCode: string): void {
    if (socket.writable && this.#mayAnswer(socket)) {
      const [status, message] = REASONS.get(errorCode) ?? [400, 'this is no HTTP request'];
      const body = JSON.stringify(bodyOf('bad-message', message));
      socket.write(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
          `cache-control: no-store\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    }
    socket.destroy();
  }

  /** True if nothing is under way but one request that has not come whole and has no answer: the error is its own. */
  #mayAnswer(socket: Duplex): boolean {
    const underWay = [...(this.#underWay.get(socket) ?? [])];
    const [first] = underWay;
    if (first === undefined) return true;
    const [request, response] = first;
    return underWay.length === 1 && !request.complete && !response.headersSent;
  }
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
