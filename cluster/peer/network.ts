// The port through which a node reaches the other nodes: peers, each the life of one connection, with control
// messages, streams and heartbeats. This file has interfaces and limits only. Implementations:
// tcp/network-tcp.ts, and network-memory.ts of the tests.
//
// A *run* is one life of a node's process. Of two runs the one with the smaller id dials, so a pair has one
// connection, used in both directions; the other run waits to be dialled. Each run may dial the other to
// probe it, and to send pulses.
import type { Transport } from '../../actors/link/link.ts';

/**
 * Guarantees:
 * - Of a pair of runs at most one Peer is up at a time, as each side sees it. A new connection is a new Peer,
 *   and shares nothing with the previous one.
 * - `up` comes before any other event of that peer, `down` after all: first each stream's `onClose`, then the
 *   peer's `onDown`, then the event. Listeners attached within the `up` event miss nothing.
 * - A sent message may or may not have been handled. Only an answer proves that it was.
 */
export interface PeerNetwork {
  readonly identity: PeerIdentity;
  /** Accepts connections from now on. Rejects if the address is not available. Port 0 takes a free port. */
  listen(): Promise<PeerAddress>;
  /**
   * Keeps a connection with that run until the dial is closed: by dialling or, if our run id is the larger
   * one, by waiting to be dialled. Throws for a run that is dialled already, and for our own run.
   */
  dial(target: PeerTarget): PeerDial;
  /** One listener, attached before `listen` and `dial`. */
  onEvent(listener: (event: PeerEvent) => void): void;
  /** The peers that are up. */
  peers(): readonly Peer[];
  /** Says goodbye to all peers (each gets a `down` event), ends all dials, and stops listening. */
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

/** Parses the address of a node, host:port as text, as the database and leases hold it. */
export function addressOf(address: string): PeerAddress {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

export interface PeerTarget {
  readonly run: string;
  readonly address: PeerAddress;
}

export interface PeerDial {
  readonly target: PeerTarget;
  /**
   * Asks at the address, over a separate connection, whether that run still answers. An open connection is
   * left alone; a waiting redial is made at once. For the failure detector.
   */
  redialNow(timeoutMs: number): Promise<ProbeResult>;
  /** Ends the dial, and closes the peer. */
  close(): void;
}

/**
 * refused: nobody listens there.
 * replaced: another run answers, so the process of the target run is gone.
 * no-answer: any other outcome, such as a stopped process, a partition, or a wrong secret.
 */
export type ProbeResult = 'connected' | 'refused' | 'replaced' | 'no-answer';

export type PeerEvent =
  | { readonly type: 'up'; readonly peer: Peer }
  | { readonly type: 'down'; readonly peer: Peer; readonly reason: PeerEnd }
  /** An attempt to dial failed; see `ProbeResult`. The next attempt follows after a back-off. */
  | { readonly type: 'refused' | 'replaced'; readonly target: PeerTarget }
  | { readonly type: 'unreachable'; readonly target: PeerTarget; readonly reason: string };

/**
 * closed-here, closed-there: that end said goodbye.
 * lost: the connection broke or the other process ended.
 * slow: more than `maxBufferedBytes` waited to be sent.
 * silent: no heartbeat came for `silenceMs`.
 * superseded: that run has made a newer connection.
 * violation: the other end broke the protocol.
 * oversize: this end was asked to send a frame above `maxFrameBytes`.
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
 * One connection with another run, from up to down. All its frames (control messages, and the batches, opens
 * and closes of streams) arrive whole, once, and in the order sent. Each `on…` method holds one listener.
 */
export interface Peer {
  readonly node: string;
  readonly run: string;
  readonly isUp: boolean;
  /** Bytes that wait in this process to be sent. */
  readonly bufferedBytes: number;
  /** Sends a value that MessagePack can carry. The value is dropped if the peer is down. */
  send(control: unknown): void;
  /** The listener checks the shape. */
  onControl(listener: (message: unknown) => void): void;
  /** A stream on a peer that is down, or past `maxStreams`, is closed from the start. */
  openStream(target: StreamTarget): PeerStream;
  /** Without a listener, streams are closed. */
  onStream(listener: (stream: PeerStream, target: StreamTarget) => void): void;
  onHeartbeat(listener: (heartbeat: Heartbeat) => void): void;
  /**
   * Called when a thread of the peer's process that runs no documents reports that the process lives and its
   * main thread turns.
   */
  onPulse(listener: () => void): void;
  onDown(listener: (reason: PeerEnd) => void): void;
  /** Sends the frames that wait, then ends the connection. An open dial makes a new one. */
  close(): void;
}

/** The target of a stream: the worker with this session. */
export interface StreamTarget {
  /** A safe integer ≥ 0. */
  readonly session: number;
}

/**
 * The batches of one link. Batches are opaque, arrive whole and in order, each in an ArrayBuffer of its own
 * that may be transferred. `post` takes ownership of its batch. The first batch that finds no listener closes
 * the stream. Closing drops batches that arrive later, not batches posted before. `onClose` is called once on
 * each side: within `close`, when the other side closes, or when the peer goes down. If the stream is closed
 * already, the listener is called in a microtask.
 */
export interface PeerStream extends Transport {
  readonly isOpen: boolean;
  onBatch(listener: (batch: Uint8Array<ArrayBuffer>) => void): void;
  onClose(listener: () => void): void;
}

export interface Heartbeat {
  /** Counts heartbeats from 1. */
  readonly counter: number;
  /** Time of arrival, by our clock. */
  readonly at: number;
  /** Delay of the sender's own timer for this heartbeat, ms. */
  readonly lateMs: number;
}

export interface PeerLimits {
  /** A larger frame ends the connection, at either end. */
  readonly maxFrameBytes: number;
  /**
   * More waiting bytes end the connection; its users resume over the next one. At least the size of a frame.
   */
  readonly maxBufferedBytes: number;
  /**
   * Open streams of a peer. Further streams opened here are closed from the start; further streams opened
   * there end the connection.
   */
  readonly maxStreams: number;
  /** Interval of heartbeats, and of pulses. */
  readonly heartbeatMs: number;
  /** After so long without a heartbeat the connection is given up. Delays of our own timers do not count. */
  readonly silenceMs: number;
  /** Time limit of a whole dial, and of each accepted connection until it belongs to a peer. */
  readonly handshakeMs: number;
  /** Accepted connections that belong to no peer yet. Further ones are closed at once. */
  readonly maxPendingHandshakes: number;
  /** Back-off between dials: full jitter up to this time, which doubles with each failure. */
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

/** The rule that both ends follow: of two runs the smaller one dials. */
export function dials(own: string, other: string): boolean {
  return own < other;
}
