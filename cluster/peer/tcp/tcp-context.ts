// The settings that listener and dialler of the TCP network share.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Timers } from '../../../actors/clock.ts';
import type { PeerIdentity, PeerLimits, PeerLog } from '../network.ts';

export interface TcpContext extends TcpDialContext {
  /** The address to listen at. */
  readonly host: string;
  readonly port: number;
  readonly log: PeerLog;
}

/** The settings that dialling needs. */
export interface TcpDialContext {
  readonly identity: PeerIdentity;
  readonly credentials: PeerCredentials;
  readonly clock: Timers;
  readonly limits: PeerLimits;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** At least one of the two. handshake.ts says what each protects. */
export interface PeerCredentials {
  readonly secret?: string;
  readonly tls?: PeerTls;
}

/** PEM. */
export interface PeerTls {
  readonly cert: string;
  readonly key: string;
  /** A CA of this cluster only: every holder of its certificates counts as a node. */
  readonly ca: string;
}

/** Key material that only the two ends of this TLS session know. Empty without TLS. */
export function channelOf(socket: Socket): Uint8Array {
  if (!(socket instanceof TLSSocket)) return new Uint8Array(0);
  return socket.exportKeyingMaterial(32, 'EXPORTER-troupe-peer', Buffer.alloc(0));
}
