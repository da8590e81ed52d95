// A WebSocket that carries its connection. It tells its events to one object, the same for all sockets: listeners
// of its own would cost each socket a table of them, for as long as it is idle too.
import { type RawData, WebSocket } from 'ws';
import type { ClientConnection } from '../client-connection.ts';

export interface SocketEvents {
  message(connection: ClientConnection, data: RawData, isText: boolean): void;
  /** ws answers the ping itself. */
  ping(connection: ClientConnection): void;
  pong(connection: ClientConnection): void;
  close(connection: ClientConnection): void;
  /** An error in the socket's frames. ws closes the socket itself, and `close` follows. */
  error(error: Error): void;
}

export class ClientSocket extends WebSocket {
  /** Undefined until the socket is accepted. */
  connection: ClientConnection | undefined;
  events: SocketEvents | undefined;

  /** Called by ws. Listeners that are added are called too, but none for errors. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const { connection, events } = this;
    if (event === 'error') {
      events?.error(args[0] as Error);
      return true;
    }
    if (connection !== undefined && events !== undefined) {
      if (event === 'message') events.message(connection, args[0] as RawData, args[1] === false);
      else if (event === 'ping' || event === 'pong' || event === 'close') events[event](connection);
    }
    return super.emit(event, ...args);
  }
}
