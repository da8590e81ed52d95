// What listener and dialler of the TCP network share.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from './clock.ts';
import type { PeerIdentity, PeerLimits, PeerLog } from './network.ts';

export interface TcpContext extends TcpDialContext {
  /** Where to listen. */
  readonly host: string;
  readonly port: number;
  readonly log: PeerLog;
}

/** What dialling takes. */
export interface TcpDialContext {
  readonly identity: PeerIdentity;
  readonly credentials: PeerCredentials;
  readonly clock: Clock;
  readonly limits: PeerLimits;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** At least one; what each protects is said in handshake.ts. */
export interface PeerCredentials {
  readonly secret?: string;
  readonly tls?: PeerTls;
}

/** PEM. */
export interface PeerTls {
  readonly cert: string;
  readonly key: string;
  /** Of this cluster only: whom it certifies is a node. */
  readonly ca: string;
}

/** What only the two ends of this TLS session know; empty without TLS. */
export function channelOf(socket: Socket): Uint8Array {
  if (!(socket instanceof TLSSocket)) return new Uint8Array(0);
  return socket.exportKeyingMaterial(32, 'EXPORTER-troupe-peer', Buffer.alloc(0));
}
