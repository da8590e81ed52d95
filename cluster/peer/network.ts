// What the cluster sees of the other nodes: peers, each one connection long, with control messages,
// streams and heartbeats. Interfaces and limits only. Implementations: network-tcp.ts, network-memory.ts.
//
// A *run* is one life of a node's process. Of two runs the one with the smaller id dials, so a pair has
// one connection, used in both directions; the other one is dialled for it. Each dials the other to probe, and for pulses.
import type { Transport } from '../../actors/link.ts';

/**
 * Guarantees:
 * - Of a pair of runs at most one Peer is up at a time, as each side sees it. A connection that is made
 *   again is a new Peer; it shares nothing with the old one.
 * - `up` comes before anything of that peer, `down` after everything: first each stream's `onClose`,
 *   then the peer's `onDown`, then the event. Listeners attached within the `up` event miss nothing.
 * - Nothing promises that what was sent has been handled: only answers do.
 */
export interface PeerNetwork {
  readonly identity: PeerIdentity;
  /** Takes connections from now on; rejects where the address cannot be had. Port 0 takes a free one. */
  listen(): Promise<PeerAddress>;
  /**
   * Keeps a connection with that run until the dial is closed: by dialling, or, if ours is the larger run
   * id, by waiting to be dialled. Throws for a run that is dialled already, and for our own.
   */
  dial(target: PeerTarget): PeerDial;
  /** One listener, attached before `listen` and `dial`. */
  onEvent(listener: (event: PeerEvent) => void): void;
  /** The peers that are up. */
  peers(): readonly Peer[];
  /** Says goodbye to all peers (their `down` is told), ends all dials, listens no more. */
  close(): Promise<void>;
}

export interface PeerIdentity {
  readonly cluster: string;
  readonly node: string;
  readonly run: string;
}

export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

export interface PeerTarget {
  readonly run: string;
  readonly address: PeerAddress;
}

export interface PeerDial {
  readonly target: PeerTarget;
  /**
   * Asks at the address, over a connection of its own, whether that run still answers; an open connection
   * is left alone, a waiting redial is made now. For the failure detector.
   */
  redialNow(timeoutMs: number): Promise<ProbeResult>;
  /** Dials no more, and closes the peer. */
  close(): void;
}

/**
 * refused: nobody listens there. replaced: another run answers, so that one's process is gone.
 * no-answer: anything else, also a process that is stopped, a partition, a wrong secret.
 */
export type ProbeResult = 'connected' | 'refused' | 'replaced' | 'no-answer';

export type PeerEvent =
  | { readonly type: 'up'; readonly peer: Peer }
  | { readonly type: 'down'; readonly peer: Peer; readonly reason: PeerEnd }
  /** An attempt to dial failed, as `ProbeResult` has it; the next one follows after a back-off. */
  | { readonly type: 'refused' | 'replaced'; readonly target: PeerTarget }
  | { readonly type: 'unreachable'; readonly target: PeerTarget; readonly reason: string };

/**
 * closed-here, closed-there: somebody said goodbye. lost: the connection broke or its process ended.
 * slow: more than `maxBufferedBytes` waited to go out. silent: no heartbeat for `silenceMs`.
 * superseded: that run has made a newer connection. violation: the other end broke the protocol.
 * oversize: we were to send a frame above `maxFrameBytes`.
 */
export type PeerEnd =
  | 'closed-here'
  | 'closed-there'
  | 'lost'
  | 'slow'
  | 'silent'
  | 'superseded'
  | 'violation'
  | 'oversize';

/**
 * One connection with another run, from up to down. All its frames (control messages, streams' batches,
 * opens and closes) arrive in the order sent, whole, once. Each `on…` has one listener.
 */
export interface Peer {
  readonly node: string;
  readonly run: string;
  readonly isUp: boolean;
  /** Bytes that wait in this process to go out. */
  readonly bufferedBytes: number;
  /** A value that MessagePack can carry. Dropped when the peer is down. */
  send(control: unknown): void;
  /** The receiver checks the shape. */
  onControl(listener: (message: unknown) => void): void;
  /** A stream on a peer that is down, or past `maxStreams`, is closed from the start. */
  openStream(target: StreamTarget): PeerStream;
  /** Without a listener streams are closed. */
  onStream(listener: (stream: PeerStream, target: StreamTarget) => void): void;
  onHeartbeat(listener: (heartbeat: Heartbeat) => void): void;
  /** A thread of its process that runs no documents says that the process lives, and its main thread turns. */
  onPulse(listener: () => void): void;
  onDown(listener: (reason: PeerEnd) => void): void;
  /** What was sent still goes out, then the connection ends. An open dial makes a new one. */
  close(): void;
}

/** What a stream leads to: the worker whose session this is. */
export interface StreamTarget {
  /** A safe integer ≥ 0. */
  readonly session: number;
}

/**
 * One link's batches. Batches are opaque, arrive whole and in order, each in an ArrayBuffer of its own that
 * may be transferred. `post` takes its batch over. The first batch that finds no listener closes the stream.
 * Closing drops what arrives afterwards, not what was posted before; `onClose` is told once on each side: within `close`,
 * when the other side closes, or when the peer goes down. If the stream is closed already it is told in a microtask.
 */
export interface PeerStream extends Transport {
  readonly isOpen: boolean;
  onBatch(listener: (batch: Uint8Array<ArrayBuffer>) => void): void;
  onClose(listener: () => void): void;
}

export interface Heartbeat {
  /** One more than the last, from 1. */
  readonly counter: number;
  /** When it came, by our clock. */
  readonly at: number;
  /** How late the sender's own timer was for it, ms. */
  readonly lateMs: number;
}

export interface PeerLimits {
  /** A larger frame ends the connection, at either end. */
  readonly maxFrameBytes: number;
  /** More waiting bytes end the connection: everything resumes over the next. At least a frame. */
  readonly maxBufferedBytes: number;
  /** Open streams of a peer. More opened here are closed from the start; more opened there end the connection. */
  readonly maxStreams: number;
  /** Of heartbeats and of pulses. */
  readonly heartbeatMs: number;
  /** Without a heartbeat for so long, less the time that our own timers were late, the connection is given up. */
  readonly silenceMs: number;
  /** For all of a dial, and for each connection accepted until it is a peer's. */
  readonly handshakeMs: number;
  /** Connections that are no peer's yet; more are closed at once. */
  readonly maxPendingHandshakes: number;
  /** Back-off between dials: full jitter up to this, doubled each time. */
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
}

export const PEER_LIMITS: PeerLimits = {
  maxFrameBytes: 64 * 1024 * 1024,
  maxBufferedBytes: 128 * 1024 * 1024,
  maxStreams: 1024,
  heartbeatMs: 200,
  silenceMs: 5000,
  handshakeMs: 2000,
  maxPendingHandshakes: 64,
  backoffFirstMs: 100,
  backoffMaxMs: 2000,
};

export type PeerLog = (level: 'info' | 'warn', message: string, fields: object) => void;

/** The rule that both ends know: of two runs the smaller one dials. */
export function dials(own: string, other: string): boolean {
  return own < other;
}
