// Requests with an `Upgrade` header. Those that ask for WebSocket go to the sockets. A server may ignore any other protocol
// (RFC 9110, 7.8), and curl asks for HTTP/2 in this way with its first request: such a request is served as if it had no
// `Upgrade` header. While the node starts, nobody takes the sockets: they are told to come back. A 404 would make load balancers
// and clients believe that there is no such path.
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { refuse } from '../gateway/sockets/upgrade-request.ts';
import type { Connections } from './connections.ts';

export type UpgradeListener = (request: IncomingMessage, stream: Duplex, head: Buffer) => void;

/** Whether a request asks for WebSocket, alone or among other protocols. */
const asksForWebSocket = ({ headers: { upgrade = '' } }: IncomingMessage): boolean =>
  upgrade.split(',').some((protocol) => /^websocket(?:$|[\s/])/i.test(protocol.trim()));

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * Options of a server. Node 26 reads the body of a request before it leaves the connection, so it has to serve such a request by
 * itself; server.ts closes the connection after it. Older versions may not have the option.
 */
export const UPGRADES = {
  shouldUpgradeCallback: (request: IncomingMessage): boolean =>
    asksForWebSocket(request) || !hasBody(request),
};

/** `toSockets` returns undefined while the node starts. */
export function takeUpgrades(
  server: Server,
  connections: Connections,
  toSockets: () => UpgradeListener | undefined,
): void {
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    if (asksForWebSocket(request)) {
      const take = toSockets();
      if (take === undefined) refuse(request, stream, 503, 'unavailable', 'the node is starting');
      else take(request, stream, head);
      return;
    }
    // Node no longer listens for errors of the connection. Its end is told to the requests that are under way.
    stream.on('error', ignore);
    connections.whenAnswered(stream, () => {
      stream.off('error', ignore);
      serveAgain(server, request, stream, head);
    });
  });
}

const ignore = (): void => undefined;

/**
 * Node has read the head of the request and has left the connection. The connection is given back to the server as a new one
 * which begins with the same head, without the upgrade.
 */
function serveAgain(server: Server, request: IncomingMessage, stream: Duplex, head: Buffer): void {
  if (stream.destroyed) return;
  stream.unshift(Buffer.concat([Buffer.from(headWithoutUpgrade(request), 'latin1'), head]));
  server.emit(stream instanceof TLSSocket ? 'secureConnection' : 'connection', stream);
}

/** `Upgrade` means something only where `Connection` names it. */
function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    if (/^upgrade$/i.test(name)) continue;
    text += `${name}: ${/^connection$/i.test(name) ? withoutUpgrade(value) : value}\r\n`;
  }
  return `${text}\r\n`;
}

const withoutUpgrade = (connection: string): string =>
  connection
    .split(',')
    .filter((option) => option.trim().toLowerCase() !== 'upgrade')
    .join(',');
