// The SDK's access to the world around it: time, randomness, timers and a WebSocket constructor. This file
// alone touches the globals; every other file gets a Platform.

/** The part of the WebSocket interface that the SDK uses; browsers' and the `ws` package's both have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  /** The subprotocol that the server chose; empty if it chose none. */
  readonly protocol: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** An opaque handle of a timer. */
export type Timer = unknown;

export interface Platform {
  /** Milliseconds that only ever rise; the zero point has no meaning. */
  now(): number;
  /** A number in [0, 1). Spreads reconnects; no secret depends on it. */
  random(): number;
  /** Fills and returns the array with random bytes fit for ids. */
  randomBytes(into: Uint8Array<ArrayBuffer>): Uint8Array;
  setTimer(run: () => void, delayMs: number): Timer;
  clearTimer(timer: Timer): void;
  /** Calls back whenever the network may be reachable again; returns the function that stops this. */
  onReachable(run: () => void): () => void;
}

export function defaultPlatform(): Platform {
  return {
    now: () => performance.now(),
    random: () => Math.random(),
    randomBytes: (into) => crypto.getRandomValues(into),
    setTimer: (run, delayMs) => setTimeout(run, delayMs),
    clearTimer: (timer) => clearTimeout(timer as number),
    onReachable(run) {
      if (typeof window === 'undefined') return () => {};
      window.addEventListener('online', run);
      return () => window.removeEventListener('online', run);
    },
  };
}

/**
 * The global WebSocket. Throws if there is none (Node 20): the constructor is then an option of the client.
 */
export function defaultWebSocket(): WebSocketConstructor {
  const global = globalThis as { WebSocket?: WebSocketConstructor };
  if (global.WebSocket === undefined) {
    throw new TypeError(
      'no global WebSocket: pass a constructor as the option `webSocket` (in Node: the ws package)',
    );
  }
  return global.WebSocket;
}

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';
const ID_LENGTH = 22;

/** A client id: 22 characters, 132 random bits. */
export function randomClientId(platform: Platform): string {
  const bytes = platform.randomBytes(new Uint8Array(ID_LENGTH));
  let id = '';
  for (const byte of bytes) id += ID_ALPHABET[byte & 63];
  return id;
}
