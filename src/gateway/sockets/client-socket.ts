// A WebSocket that carries its connection, so that one handler serves all sockets.
import { WebSocket } from 'ws';
import type { ClientConnection } from '../client-connection.ts';

export class ClientSocket extends WebSocket {
  connection: ClientConnection | undefined;
}
