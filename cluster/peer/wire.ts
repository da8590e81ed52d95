// The floor below peers: wires that carry frames, and who makes them. One peer has two wires, so that
// heartbeats do not wait behind large frames. A wire knows nothing of streams or peers.
import type { PeerAddress, PeerIdentity, PeerTarget, ProbeResult } from './network.ts';

export interface Frame {
  readonly type: number;
  readonly stream: number;
  /** In an ArrayBuffer of its own. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

export interface WireHandlers {
  frame(frame: Frame): void;
  /** The wire ended, not by us. `reason` is for the log. */
  end(reason: 'lost' | 'violation', detail: string): void;
}

/**
 * Frames arrive in the order sent, whole, once, and never before `start`: until then they wait, at the
 * other end past a small buffer. `start` may be called again, for the wire's next user, after `hold`.
 * After `finish` or `destroy` no handler is called.
 */
export interface Wire {
  /** Bytes of frames that wait here to go out. */
  readonly bufferedBytes: number;
  start(handlers: WireHandlers): void;
  /** No handler is called until the next `start`; then what came meanwhile. */
  hold(): void;
  /** Takes the payload over. */
  send(type: number, stream: number, payload: Uint8Array<ArrayBuffer>): void;
  /** What was sent still goes out; for a bounded time. */
  finish(): void;
  destroy(): void;
}

/** What makes a peer. Both ends are known to be who they say. */
export interface WirePair {
  readonly remote: PeerIdentity;
  readonly link: Wire;
  readonly heartbeat: Wire;
}

export type DialResult =
  | { readonly type: 'up'; readonly pair: WirePair }
  | { readonly type: 'refused' | 'replaced' }
  | { readonly type: 'unreachable'; readonly reason: string };

/** Makes wires. A callback is called once, never within the call, and not after its cancel function or `close`. */
export interface Wires {
  readonly identity: PeerIdentity;
  /** `onPulse`: that run gave a sign of life over a connection which is for nothing else. */
  listen(onPair: (pair: WirePair) => void, onPulse: (run: string) => void): Promise<PeerAddress>;
  dial(target: PeerTarget, timeoutMs: number, done: (result: DialResult) => void): () => void;
  probe(target: PeerTarget, timeoutMs: number, done: (result: ProbeResult) => void): () => void;
  close(): Promise<void>;
}
