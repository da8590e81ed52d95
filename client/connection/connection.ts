// One connection to a list of servers: it dials, sends hello, keeps the socket alive and reconnects. Owns the
// socket, the token and the time of attempts (addresses.ts owns their order); knows nothing of documents.
// Over 400 lines, since every part of it changes the one mode.
//
// Modes, changed by #enter alone and by the moves of MOVES:
//   idle     -> waiting                       goOnline
//   waiting  -> dialing | waiting             its timer; the network is back
//   dialing  -> live | waiting | refused      welcome; socket lost; refusal
//   live     -> waiting | refused             socket lost, or draining is over; refusal
//   refused  -> waiting                       goOnline, a new token
//   any      -> idle, ended                   goOffline; close (for good)
import { type Codec, FrameError, jsonCodec, msgpackCodec } from '../../protocol/codec.ts';
import { CLOSE_CODES, CLOSE_WITHOUT_RETRY } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import type { ClientState, TokenSource } from '../api.ts';
import { knownCode, TroupeError } from '../errors.ts';
import { INITIAL_LIMITS, readLimits } from '../limits.ts';
import type { Platform, Timer, WebSocketConstructor, WebSocketLike } from '../platform.ts';
import { RetryDelay } from '../retry-delay.ts';
import { type AcceptNodes, Addresses } from './addresses.ts';
import { type ConnectionFailure, cause, causeOfClose, type FailureCause } from './failure.ts';
import { Heartbeat } from './heartbeat.ts';
import { TokenRenewal } from './token-renewal.ts';

export interface ConnectionOptions {
  readonly client: string;
  readonly urls: readonly string[];
  readonly nodes: AcceptNodes;
  readonly token: TokenSource | undefined;
  readonly webSocket: WebSocketConstructor;
  readonly platform: Platform;
  /** Called at each dial. */
  readonly encoding: () => 'json' | 'msgpack';
}

export interface ConnectionHandlers {
  state(state: ClientState): void;
  /** The first `welcome` of a socket: from now on messages may be sent, until `down`. */
  up(): void;
  /** The socket is gone. `closeCode` is set if the server sent one. */
  down(closeCode: number | undefined): void;
  /** Any later message, decoded and with a string `type`; its other fields are unchecked. */
  message(message: Record<string, unknown>): void;
  error(error: TroupeError): void;
  /** An attempt has failed, or the connection was lost, and the next step is decided. */
  failed(failure: ConnectionFailure): void;
  draining(reconnectInMs: number): void;
}

export type SendResult = 'sent' | 'down' | 'too-large';

type Mode =
  | { readonly name: 'idle' }
  | { readonly name: 'waiting'; readonly timer: Timer }
  | { readonly name: 'dialing'; readonly timer: Timer; socket: WebSocketLike | undefined }
  | { readonly name: 'live'; readonly socket: WebSocketLike; readonly since: number }
  | { readonly name: 'refused' }
  | { readonly name: 'ended' };

/** For each mode, the modes that may follow it. Any other move is a fault of this program. */
const MOVES: Readonly<Record<Mode['name'], readonly Mode['name'][]>> = {
  idle: ['waiting', 'idle', 'ended'],
  waiting: ['dialing', 'waiting', 'idle', 'ended'],
  dialing: ['live', 'waiting', 'refused', 'idle', 'ended'],
  live: ['waiting', 'refused', 'idle', 'ended'],
  refused: ['waiting', 'idle', 'ended'],
  ended: [],
};

/** From the token to the `welcome`. */
const DIAL_MS = 15_000;
const BACKOFF_MS = 500;
/** A connection that lived this long does not count as a failure. */
const STABLE_MS = 5_000;
/** The longest `reconnectInMs` that is accepted. */
const LONGEST_DRAIN_MS = 60_000;
const NORMAL_CLOSE = 1000;
/** Marks the hello that renews a token, and its answer. */
const RENEWAL = 'renewal';
/** Close codes of a node that leaves: other nodes are tried before it. */
const LEAVING: ReadonlySet<number> = new Set([CLOSE_CODES.shutdown, CLOSE_CODES.draining]);

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #platform: Platform;
  readonly #handlers: ConnectionHandlers;
  readonly #heartbeat: Heartbeat;
  readonly #backoff: RetryDelay;
  readonly #renewal: TokenRenewal;
  #mode: Mode = { name: 'idle' };
  #codec: Codec | undefined;
  #limits: Limits = INITIAL_LIMITS;
  #token: TokenSource | undefined;
  /** The token that the server was given last, at a dial, or that it has taken since. */
  #lastToken: string | undefined;
  /** The token of a renewal that is not answered yet. */
  #renewing: string | undefined;
  #tokenReason: 'connect' | 'expired' = 'connect';
  readonly #addresses: Addresses;
  /** Close code of the last lost socket. */
  #closeCode: number | undefined;
  #drain: { readonly timer: Timer; readonly at: number } | undefined;
  /** The latest failure since the last `welcome`. */
  #failure: ConnectionFailure | undefined;
  /**
   * The last error that the server sent before it closed: the reason of a refusal, and the time to stay away.
   */
  #lastError: { readonly error: TroupeError; readonly retryAfterMs: number } | undefined;

  constructor(options: ConnectionOptions, handlers: ConnectionHandlers) {
    if (options.urls.length === 0) throw new TypeError('urls: at least one');
    this.#options = options;
    this.#platform = options.platform;
    this.#handlers = handlers;
    this.#token = options.token;
    this.#backoff = new RetryDelay(BACKOFF_MS, () => this.#platform.random());
    this.#addresses = new Addresses(options.urls, options.nodes, () => this.#platform.random());
    this.#heartbeat = new Heartbeat(this.#platform, {
      ping: () => this.send({ type: 'ping' }),
      dead: () => this.#lost(cause('silent', 'the server did not answer a ping')),
    });
    this.#renewal = new TokenRenewal(this.#platform, {
      ask: () => {
        if (typeof this.#token !== 'function') return undefined;
        return Promise.resolve(this.#askForToken('expired'));
      },
      send: (token) => token !== this.#lastToken && this.#renew(token),
    });
  }

  get state(): ClientState {
    return stateOf(this.#mode);
  }

  /** The limits that the last server sent. */
  get limits(): Limits {
    return this.#limits;
  }

  /** The latest failure since the last `welcome`; the same object until there is another. */
  get failure(): ConnectionFailure | undefined {
    return this.#failure;
  }

  goOnline(): void {
    const { name } = this.#mode;
    if (name === 'idle' || name === 'refused') this.#wait(0);
  }

  /** Ends the current wait: the network may be back. */
  hurry(): void {
    if (this.#mode.name === 'waiting') this.#wait(0);
  }

  goOffline(): void {
    if (this.#mode.name !== 'ended') this.#leave({ name: 'idle' });
  }

  end(): void {
    this.#leave({ name: 'ended' });
  }

  setToken(token: TokenSource): void {
    this.#token = token;
    this.#lastToken = undefined;
    if (this.#mode.name === 'refused') this.goOnline();
    else if (this.#mode.name !== 'live') return;
    else if (typeof token === 'string') this.#renew(token);
    else this.#renewal.askNow();
  }

  /**
   * Bytes of the message as a frame in the current subprotocol, or in the one that the next dial will ask
   * for.
   */
  measure(message: ClientMessage): number {
    return frameBytes(this.#currentCodec().encode(message));
  }

  send(message: ClientMessage): SendResult {
    if (this.#mode.name !== 'live') return 'down';
    const frame = this.#currentCodec().encode(message);
    if (frameBytes(frame) > this.#limits.frameBytes) return 'too-large';
    return this.#transmit(this.#mode.socket, frame) ? 'sent' : 'down';
  }

  #currentCodec(): Codec {
    return this.#codec ?? (this.#options.encoding() === 'msgpack' ? msgpackCodec : jsonCodec);
  }

  #transmit(socket: WebSocketLike, frame: string | Uint8Array<ArrayBuffer>): boolean {
    try {
      socket.send(frame);
      return true;
    } catch {
      // A socket that is closing throws; its close event will follow, and brings the retry.
      return false;
    }
  }

  // ---- dialing

  #wait(delayMs: number): void {
    this.#enter({ name: 'waiting', timer: this.#platform.setTimer(() => this.#dial(), delayMs) });
  }

  #dial(): void {
    const mode: Mode = {
      name: 'dialing',
      socket: undefined,
      timer: this.#platform.setTimer(
        () => this.#lost(cause('timeout', `no welcome within ${DIAL_MS / 1_000} s`)),
        DIAL_MS,
      ),
    };
    this.#enter(mode);
    this.#codec = undefined;
    this.#lastError = undefined;
    const token = this.#askForToken(this.#tokenReason);
    if (typeof token !== 'object') {
      this.#connect(mode, token);
      return;
    }
    token.then(
      (value) => this.#connect(mode, value),
      (error: unknown) => {
        if (this.#mode !== mode) return;
        const why = error instanceof Error ? error.message : String(error);
        this.#handlers.error(new TroupeError('unauthenticated', `no token: ${why}`, true));
        this.#lost(cause('token', `no token: ${why}`));
      },
    );
  }

  #askForToken(reason: 'connect' | 'expired'): string | undefined | Promise<string | undefined> {
    const source = this.#token;
    if (typeof source !== 'function') return source;
    try {
      return source(reason);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #connect(mode: Mode & { name: 'dialing' }, token: string | undefined): void {
    if (this.#mode !== mode) return;
    if (this.#tokenReason === 'expired' && (token === undefined || token === this.#lastToken)) {
      const why = 'the token was refused and there is no new one';
      this.#refuse(new TroupeError('unauthenticated', why), cause('token', why));
      return;
    }
    this.#lastToken = token;
    const preferred = this.#currentCodec();
    const other = preferred === jsonCodec ? msgpackCodec : jsonCodec;
    const url = this.#addresses.current;
    let socket: WebSocketLike;
    try {
      socket = new this.#options.webSocket(url, [preferred.subprotocol, other.subprotocol]);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const text = `cannot open a socket to ${url}: ${why}`;
      this.#refuse(new TroupeError('bad-message', text), cause('unreachable', text));
      return;
    }
    mode.socket = socket;
    let opened = false;
    let socketError: unknown;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      opened = true;
      this.#codec = socket.protocol === msgpackCodec.subprotocol ? msgpackCodec : jsonCodec;
      const client = this.#options.client;
      const hello: ClientMessage =
        token === undefined ? { type: 'hello', client } : { type: 'hello', client, token };
      this.#transmit(socket, this.#codec.encode(hello));
    };
    socket.onmessage = (event: { data: unknown }) => this.#received(socket, event.data);
    socket.onclose = (event: { code?: number }) => this.#lost(causeOfClose(event.code, opened, socketError));
    // A close event follows; ws throws if there is no listener for errors.
    socket.onerror = (event: unknown) => {
      socketError = event;
    };
  }

  #renew(token: string): boolean {
    this.#renewing = token;
    return this.send({ type: 'hello', client: this.#options.client, token, id: RENEWAL }) === 'sent';
  }

  // ---- receiving

  #received(socket: WebSocketLike, data: unknown): void {
    const message = this.#decode(data);
    if (message === undefined) {
      this.#handlers.error(
        new TroupeError('bad-message', 'the server sent a frame that is no message', true),
      );
      this.#lost(cause('bad-frame', 'the server sent a frame that is no message'));
      return;
    }
    this.#heartbeat.received();
    const { type } = message;
    if (typeof type !== 'string') return;
    if (type === 'error') this.#noteError(message);
    if (type === 'error' && this.#isRenewing(message)) return;
    if (type === 'welcome') this.#welcomed(socket, message);
    else if (this.#mode.name !== 'live') return;
    else if (type === 'draining') this.#drained(message.reconnectInMs);
    else if (type === 'nodes') this.#addresses.learn(message.nodes);
    else if (type !== 'pong') this.#handlers.message(message);
  }

  #decode(data: unknown): Record<string, unknown> | undefined {
    const frame = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    if (typeof frame !== 'string' && !(frame instanceof Uint8Array)) return undefined;
    try {
      return this.#currentCodec().decode(frame);
    } catch (error) {
      if (error instanceof FrameError) return undefined;
      throw error;
    }
  }

  #noteError(message: Record<string, unknown>): void {
    const text = typeof message.message === 'string' ? message.message : '';
    const after = message.retryAfterMs;
    this.#lastError = {
      error: new TroupeError(knownCode(message.code), text, message.retryable === true),
      retryAfterMs: typeof after === 'number' && after > 0 ? after : 0,
    };
  }

  /** True if the error concerns the token of a live connection, and a new token is being asked for. */
  #isRenewing({ code, id, doc }: Record<string, unknown>): boolean {
    if (this.#mode.name !== 'live' || doc !== undefined) return false;
    if (code === 'unauthenticated' && id === undefined) return this.#renewal.askNow();
    // The former token still counts.
    if (id === RENEWAL) this.#renewal.askAgain();
    return false;
  }

  #welcomed(socket: WebSocketLike, message: Record<string, unknown>): void {
    this.#limits = readLimits(message.limits, this.#limits);
    this.#addresses.learn(message.nodes);
    const { expiresInMs } = message;
    this.#renewal.start(typeof expiresInMs === 'number' && expiresInMs >= 0 ? expiresInMs : undefined);
    if (this.#renewing !== undefined) this.#lastToken = this.#renewing;
    this.#renewing = undefined;
    this.#tokenReason = 'connect';
    if (this.#mode.name !== 'dialing') return;
    this.#lastError = undefined;
    this.#failure = undefined;
    this.#addresses.arrived();
    this.#enter({ name: 'live', socket, since: this.#platform.now() });
    this.#heartbeat.start(this.#limits.pingMs);
    this.#handlers.up();
  }

  #drained(told: unknown): void {
    if (this.#drain !== undefined) return;
    const reconnectInMs = typeof told === 'number' && told >= 0 ? Math.min(told, LONGEST_DRAIN_MS) : 0;
    const delay = reconnectInMs * (0.75 + this.#platform.random() / 2);
    this.#drain = {
      at: this.#platform.now() + delay,
      timer: this.#platform.setTimer(() => {
        this.#drain = undefined;
        this.#leaveDraining();
      }, delay),
    };
    this.#handlers.draining(reconnectInMs);
  }

  // ---- losing

  /** The time that a draining node gave is over: this is no failure, and needs no wait. */
  #leaveDraining(): void {
    const before = this.#mode;
    if (before.name !== 'live') return;
    if (this.#platform.now() - before.since >= STABLE_MS) this.#backoff.reset();
    this.#addresses.next(true);
    this.#abandon(before);
    this.#closeCode = undefined;
    this.#wait(0);
  }

  /** The socket is gone or given up. */
  #lost(why: FailureCause): void {
    const before = this.#mode;
    if (before.name !== 'live' && before.name !== 'dialing') return;
    const { closeCode } = why;
    if (before.name === 'live' && this.#platform.now() - before.since >= STABLE_MS) this.#backoff.reset();
    const refusal = this.#refusal(closeCode);
    if (refusal !== undefined) {
      this.#refuse(refusal, why);
      return;
    }
    const drainAt = this.#drain?.at;
    const url = this.#addresses.current;
    this.#addresses.next(drainAt !== undefined || (closeCode !== undefined && LEAVING.has(closeCode)));
    this.#abandon(before);
    this.#closeCode = closeCode;
    const retryInMs =
      drainAt !== undefined
        ? Math.max(0, drainAt - this.#platform.now())
        : this.#backoff.next(this.#lastError?.retryAfterMs);
    const failure = { ...why, url, retryInMs };
    this.#failure = failure;
    this.#wait(retryInMs);
    this.#handlers.failed(failure);
  }

  #refusal(closeCode: number | undefined): TroupeError | undefined {
    if (closeCode === undefined || !CLOSE_WITHOUT_RETRY.has(closeCode)) return undefined;
    if (
      closeCode === CLOSE_CODES.unauthenticated &&
      typeof this.#token === 'function' &&
      this.#tokenReason === 'connect'
    ) {
      this.#tokenReason = 'expired';
      return undefined;
    }
    return (
      this.#lastError?.error ??
      (closeCode === CLOSE_CODES.unauthenticated
        ? new TroupeError('unauthenticated', 'the server refused the token')
        : closeCode === CLOSE_CODES.forbidden
          ? new TroupeError('forbidden', 'the server refused this client')
          : new TroupeError('bad-message', 'the server did not understand this client'))
    );
  }

  #refuse(error: TroupeError, why: FailureCause): void {
    const failure = { ...why, url: this.#addresses.current, retryInMs: undefined };
    this.#failure = failure;
    this.#tokenReason = 'connect';
    this.#addresses.next(false);
    this.#leave({ name: 'refused' }, why.closeCode);
    this.#handlers.failed(failure);
    this.#handlers.error(error);
  }

  #leave(to: Mode, closeCode?: number): void {
    this.#abandon(this.#mode);
    this.#closeCode = closeCode;
    this.#enter(to);
  }

  #abandon(mode: Mode): void {
    this.#heartbeat.stop();
    this.#renewal.stop();
    this.#renewing = undefined;
    if (this.#drain !== undefined) this.#platform.clearTimer(this.#drain.timer);
    this.#drain = undefined;
    const socket = mode.name === 'live' || mode.name === 'dialing' ? mode.socket : undefined;
    if (socket === undefined) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    try {
      socket.close(NORMAL_CLOSE);
    } catch {
      // There is nothing to close: the socket never opened.
    }
  }

  /** Ends the connection for good if the move is not legal: its state can no longer be trusted. */
  #enter(mode: Mode): void {
    const before = this.#mode;
    if (!MOVES[before.name].includes(mode.name)) {
      if (mode.name === 'waiting' || mode.name === 'dialing') this.#platform.clearTimer(mode.timer);
      if (before.name === 'ended') return;
      const moved = `the connection does not go from ${before.name} to ${mode.name}`;
      this.#leave({ name: 'ended' });
      this.#handlers.error(new TroupeError('internal', moved));
      return;
    }
    if (before.name === 'waiting' || before.name === 'dialing') this.#platform.clearTimer(before.timer);
    this.#mode = mode;
    if (before.name === 'live') this.#handlers.down(this.#closeCode);
    if (this.#mode !== mode) return;
    if (stateOf(before) !== stateOf(mode)) this.#handlers.state(stateOf(mode));
  }
}

function stateOf(mode: Mode): ClientState {
  switch (mode.name) {
    case 'idle':
    case 'refused':
    case 'ended':
      return 'offline';
    case 'waiting':
    case 'dialing':
      return 'connecting';
    case 'live':
      return 'live';
  }
}

const utf8 = new TextEncoder();

/** Bytes of a frame on the wire. */
export function frameBytes(frame: string | Uint8Array): number {
  return typeof frame === 'string' ? utf8.encode(frame).length : frame.length;
}
