// A path for sockets that speak another protocol than the contract's.
import type { ClientConnection } from '../client-connection.ts';

export interface Endpoint {
  takes(path: string): boolean;
  /**
   * Gives the connection its receiver. Nothing has been read yet. `token`: that of the query, unless a header of the upgrade
   * had one, which the connection has.
   */
  attach(connection: ClientConnection, path: string, token: string | undefined): void;
}
