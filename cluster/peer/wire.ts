// The floor below peers: wires that carry frames, and the port that makes wires. One peer has two wires, so
// that heartbeats do not wait behind large frames. A wire knows nothing of streams or peers.
import type { PeerAddress, PeerIdentity, PeerTarget, ProbeResult } from './network.ts';

export interface Frame {
  readonly type: number;
  readonly stream: number;
  /** In an ArrayBuffer of its own. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

export interface WireHandlers {
  frame(frame: Frame): void;
  /** The wire has ended, but not by this end. `reason` is for the log. */
  end(reason: 'lost' | 'violation', detail: string): void;
}

/**
 * Frames arrive in the order sent, whole, once, and never before `start`: until then they wait, at the other
 * end once a small buffer is full. `start` may be called again after `hold`, for the wire's next user. After
 * `finish` or `destroy` no handler is called.
 */
export interface Wire {
  /** Bytes of frames that wait here to be sent. */
  readonly bufferedBytes: number;
  start(handlers: WireHandlers): void;
  /** Until the next `start` no handler is called. Frames that arrive meanwhile are delivered then. */
  hold(): void;
  /** Takes ownership of the payload. */
  send(type: number, stream: number, payload: Uint8Array<ArrayBuffer>): void;
  /** Sends the waiting frames, for a bounded time, then ends the wire. */
  finish(): void;
  destroy(): void;
}

/** The two wires of a peer. Each end has proved its identity. */
export interface WirePair {
  readonly remote: PeerIdentity;
  readonly link: Wire;
  readonly heartbeat: Wire;
}

export type DialResult =
  | { readonly type: 'up'; readonly pair: WirePair }
  | { readonly type: 'refused' | 'replaced' }
  | { readonly type: 'unreachable'; readonly reason: string };

/**
 * Makes wires. A callback is called once, never within the call, and not after its cancel function or
 * `close`.
 */
export interface Wires {
  readonly identity: PeerIdentity;
  /** `onPulse` is called when that run gave a sign of life, over a connection that carries nothing else. */
  listen(onPair: (pair: WirePair) => void, onPulse: (run: string) => void): Promise<PeerAddress>;
  dial(target: PeerTarget, timeoutMs: number, done: (result: DialResult) => void): () => void;
  probe(target: PeerTarget, timeoutMs: number, done: (result: ProbeResult) => void): () => void;
  close(): Promise<void>;
}
