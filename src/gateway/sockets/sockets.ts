// The WebSocket side of a node: upgrades, subprotocols, and the clock that ends sockets which are silent,
// dead or late. gateway.ts interprets the messages.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Server, type ServerOptions, WebSocketServer } from 'ws';
import { CLOSE_REASONS, METRICS } from '../../../actors/metrics/metrics.ts';
import { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import { type Codec, jsonCodec } from '../../../protocol/codec.ts';
import { CLOSE_CODES } from '../../../protocol/errors.ts';
import type { Limits } from '../../../protocol/limits.ts';
import { loginCookieOf } from '../../identity/logins/login-cookie.ts';
import { ClientConnection, frameOf } from '../client-connection.ts';
import type { Gateway } from '../gateway.ts';
import { DirectWrites } from '../node-private/direct-writes.ts';
import type { Addresses } from '../quotas/addresses.ts';
import { ClientSocket, type SocketEvents } from './client-socket.ts';
import type { Endpoint } from './endpoint.ts';
import type { Origins } from './origins.ts';
import { opensAtOnce } from './rates.ts';
import { Reads, type ReadsOptions } from './reads.ts';
import { Rounds } from './rounds.ts';
import { bearerOf, offeredCodec, pathOf, refuse, tokenIn } from './upgrade-request.ts';

export interface SocketsOptions extends Omit<ReadsOptions, 'maxPayload' | 'now' | 'receive'> {
  readonly gateway: Gateway;
  readonly limits: Limits;
  readonly outboxBytes: number;
  readonly connections: number;
  readonly helloMs: number;
  readonly origins: Pick<Origins, 'refusal'>;
  /** The addresses of clients, and the limits of each. Undefined if nothing is limited. */
  readonly addresses?: Addresses;
  /** The counts of this thread. */
  readonly counts?: ThreadCounts;
  /** Further paths, whose sockets speak other protocols. */
  readonly endpoints?: readonly Endpoint[];
  /** Largest frame of such a socket. The default is `limits.frameBytes`. */
  readonly endpointFrameBytes?: number;
  /** Whether the node itself has opened a socket with this bearer token. Such a socket is not counted. */
  readonly isOwn?: (bearer: string | undefined) => boolean;
}

const PATH = '/v1/socket';
const CLOCK_MS = 50;
/** Time after which a client that was sent away is closed, counted from the end of the spread. */
const AWAY_GRACE_MS = 500;
/** How long a socket may take to answer a close. */
const CLOSE_TIMEOUT_MS = 10_000;
/** Interval at which each socket is examined. */
const LOOK_MS = 1_000;
/** Time without a tick of the clock after which messages may have come that have not been read yet. */
const LATE_MS = 500;
/**
 * A socket with a presence is pinged after the first time of silence. After the second its presence is hidden
 * from others.
 */
const PING_PRESENT_MS = 1_500;
const HIDE_MS = 3_500;

export class Sockets {
  readonly #options: SocketsOptions;
  readonly #server: Server<typeof ClientSocket>;
  readonly #endpointServer: Server<typeof ClientSocket>;
  readonly #reads: Reads;
  readonly #directWrites: DirectWrites | undefined;
  readonly #counts: ThreadCounts;
  readonly #connections = new Set<ClientConnection>();
  readonly #clock: NodeJS.Timeout;
  readonly #rounds: Rounds<ClientConnection>;
  /** Sum of the bytes that wait for the readers that have been examined in this round. */
  #waitingBytes = 0;
  #stopping = false;
  /** The node cannot serve for the time being. */
  #away = false;
  /** Clients that were told to go and are still here. */
  #going = 0;
  /**
   * ms that never go back, refreshed by the clock: exact enough for limits in seconds, and cheap on the hot
   * path.
   */
  now = steadyNow();

  constructor(options: SocketsOptions) {
    this.#options = options;
    this.#counts = options.counts ?? new ThreadCounts();
    const { gateway, limits } = options;
    this.#reads = new Reads({
      ...options,
      maxPayload: limits.frameBytes,
      now: () => this.now,
      receive: (connection, payload, isText) => gateway.receive(connection, payload, isText),
    });
    this.#directWrites = options.nodePrivate === 'auto' ? DirectWrites.create() : undefined;
    const server: ServerOptions<typeof ClientSocket> & { closeTimeout: number } = {
      noServer: true,
      WebSocket: ClientSocket,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.frameBytes,
      closeTimeout: CLOSE_TIMEOUT_MS,
      // The offered subprotocols have been checked before the upgrade.
      handleProtocols: (offered) => offeredCodec([...offered])?.subprotocol ?? false,
    };
    this.#server = new WebSocketServer(server);
    const forEndpoints: typeof server = {
      ...server,
      maxPayload: options.endpointFrameBytes ?? limits.frameBytes,
      // A provider of Yjs takes any of the subprotocols that its application offers.
      handleProtocols: ([first]) => first ?? false,
    };
    this.#endpointServer = new WebSocketServer(forEndpoints);
    for (const server of [this.#server, this.#endpointServer])
      server.on('wsClientError', (error, stream, request) =>
        refuse(request, stream, 400, 'bad-message', error.message),
      );
    this.#rounds = new Rounds(this.#connections, LOOK_MS, this.now);
    this.#clock = setInterval(() => this.#tick(), CLOCK_MS);
  }

  /** Bytes of patches that wait for an answer. */
  get patchBytes(): number {
    return this.#reads.window.underWay;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Sockets without those that have been sent away. */
  get staying(): number {
    return this.#connections.size - this.#going;
  }

  /** For the HTTP server's `upgrade` event. */
  readonly upgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const refusal = this.#options.origins.refusal(request.headers);
    if (refusal !== undefined) {
      refuse(request, stream, 403, 'forbidden', refusal);
      return;
    }
    const endpoint = this.#endpointOf(request);
    if (endpoint === undefined && pathOf(request) !== PATH) {
      refuse(request, stream, 404, 'not-found', 'Not Found');
      return;
    }
    if (this.#stopping || this.#away) {
      refuse(request, stream, 503, 'unavailable', 'Service Unavailable');
      return;
    }
    const { addresses } = this.#options;
    const address = addresses?.of(request);
    const wait = address === undefined ? 0 : (addresses?.takeUpgrade(address) ?? 0);
    if (wait > 0) {
      refuse(request, stream, 429, 'rate-limited', 'too many sockets of this address', wait);
      return;
    }
    const header = request.headers['sec-websocket-protocol'];
    const offered = header?.split(',').map((name) => name.trim()) ?? [];
    const codec = offered.length === 0 ? jsonCodec : offeredCodec(offered);
    if (codec === undefined && endpoint === undefined) {
      refuse(request, stream, 400, 'bad-message', 'Bad Request');
      return;
    }
    const server = endpoint === undefined ? this.#server : this.#endpointServer;
    server.handleUpgrade(request, stream, head, (socket: ClientSocket) =>
      this.#accept(socket, stream, endpoint ?? codec, request, address),
    );
  };

  /**
   * Tells every client to come back elsewhere, each after its own part of `spreadMs`. Resolves when all have
   * gone, or have been closed `graceMs` after the end of the spread. No socket is accepted after the call.
   */
  async drain(spreadMs: number, graceMs: number): Promise<void> {
    this.#stopping = true;
    await this.#empty(spreadMs, graceMs, () => true);
  }

  /** Same as `drain`, but new sockets are accepted again after `takeAgain`. */
  async sendAway(spreadMs: number): Promise<void> {
    this.#away = true;
    await this.#empty(spreadMs, AWAY_GRACE_MS, () => this.#away);
  }

  takeAgain(): void {
    this.#away = false;
  }

  /**
   * Tells some clients, chosen at random among those that `mayGo`, to come back elsewhere within `spreadMs`.
   * A client that has not gone by then is closed. Returns the clients that were told.
   */
  sendSomeAway(
    count: number,
    spreadMs: number,
    mayGo: (client: string, connection: ClientConnection) => boolean,
  ): readonly string[] {
    const left = [...this.#connections].filter((connection) => {
      const { client, closed, goesBy } = connection;
      return client !== undefined && !closed && goesBy === undefined && mayGo(client, connection);
    });
    const told: string[] = [];
    while (told.length < count && left.length > 0) {
      const chosen = Math.floor(Math.random() * left.length);
      const connection = left[chosen];
      const last = left.pop();
      if (connection?.client === undefined || last === undefined) break;
      if (chosen < left.length) left[chosen] = last;
      this.#going++;
      connection.goesBy = steadyNow() + spreadMs + AWAY_GRACE_MS;
      connection.send({ type: 'draining', reconnectInMs: Math.floor(Math.random() * spreadMs) });
      told.push(connection.client);
    }
    return told;
  }

  /** Sends to all clients that have been welcomed. */
  tellNodes(nodes: readonly string[]): void {
    const frames = new Map<Codec, Uint8Array>();
    for (const connection of this.#connections) {
      if (connection.client === undefined || connection.closed) continue;
      const { codec } = connection;
      if (codec === undefined) continue;
      const frame = frames.get(codec) ?? frameOf(codec, { type: 'nodes', nodes });
      frames.set(codec, frame);
      connection.write(frame);
    }
  }

  async #empty(spreadMs: number, graceMs: number, goOn: () => boolean): Promise<void> {
    for (const connection of this.#connections) {
      const reconnectInMs = Math.floor(Math.random() * spreadMs);
      connection.send({ type: 'draining', reconnectInMs });
    }
    const until = steadyNow() + spreadMs + graceMs;
    while (this.#connections.size > 0 && steadyNow() < until && goOn())
      await new Promise((look) => setTimeout(look, CLOCK_MS / 4));
    if (!goOn()) return;
    for (const connection of this.#connections)
      connection.close(CLOSE_CODES.draining, 'the node is draining');
  }

  /** Tells every socket that the node stops, and gives each a moment to answer. */
  async close(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#clock);
    const all = [...this.#connections];
    for (const connection of all) connection.close(CLOSE_CODES.shutdown, 'the node stops');
    const ended = Promise.all(
      all.map((connection) => new Promise((done) => connection.socket.once('close', done))),
    );
    const late = new Promise((done) => setTimeout(done, timeoutMs).unref());
    await Promise.race([ended, late]);
    for (const connection of this.#connections) connection.socket.terminate();
  }

  #accept(
    socket: ClientSocket,
    stream: Duplex,
    protocol: Codec | Endpoint | undefined,
    request: IncomingMessage,
    address: string | undefined,
  ): void {
    const { limits, outboxBytes, connections } = this.#options;
    socket.events = this.#events;
    const { headers } = request;
    const endpoint = protocol !== undefined && 'attach' in protocol ? protocol : undefined;
    const bearer = bearerOf(headers);
    if (this.#options.isOwn?.(bearer) !== true) this.#counts.count(METRICS.socketsAccepted);
    if (this.#connections.size >= connections) {
      this.#countClosed(CLOSE_CODES.overloaded);
      socket.close(CLOSE_CODES.overloaded, 'too many connections');
      return;
    }
    const rates = {
      opens: opensAtOnce(limits),
      submits: limits.submitsPerSecond,
      presences: limits.presencesPerSecond,
    };
    const connection = new ClientConnection(
      socket,
      stream,
      protocol !== undefined && 'attach' in protocol ? undefined : protocol,
      outboxBytes,
      this.now,
      rates,
      this.#directWrites,
      this.#reads.window,
      this.#counts,
    );
    connection.bearer = bearer;
    connection.address = address;
    if (address !== undefined) this.#options.addresses?.connected(address);
    // A browser always names the page, and its origin has been checked. Without one the cookie is that of a program.
    connection.cookie = loginCookieOf(headers.cookie);
    socket.connection = connection;
    this.#connections.add(connection);
    this.#reads.begin(connection, stream);
    if (endpoint === undefined) return;
    endpoint.attach(connection, pathOf(request), bearer === undefined ? tokenIn(request) : undefined);
  }

  #endpointOf(request: IncomingMessage): Endpoint | undefined {
    const path = pathOf(request);
    return this.#options.endpoints?.find((endpoint) => endpoint.takes(path));
  }

  readonly #events: SocketEvents = {
    message: (connection, data, isText) => {
      if (Buffer.isBuffer(data)) this.#options.gateway.receive(connection, data, isText);
    },
    // A ping counts as a message, and so does a pong.
    ping: (connection) => this.#options.gateway.counts(connection),
    pong: (connection) => {
      connection.heard = steadyNow();
      connection.pinged = false;
      this.#options.gateway.counts(connection);
    },
    close: (connection) => {
      if (this.#connections.delete(connection) && connection.address !== undefined)
        this.#options.addresses?.disconnected(connection.address);
      if (connection.goesBy !== undefined) this.#going--;
      this.#options.gateway.disconnected(connection);
      this.#reads.closed(connection);
    },
    error: (error) => {
      if ('code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
        this.#countClosed(CLOSE_CODES.frameTooLarge);
    },
  };

  #countClosed(code: number): void {
    this.#counts.countAs(METRICS.socketsClosed, CLOSE_REASONS.get(code) ?? '');
  }

  /**
   * The sockets are examined in slices. With all of them at once, 10,000 pings held every edit up for 80 ms
   * (`npm run loadtest -- ten-thousand`).
   */
  #tick(): void {
    const now = steadyNow();
    const isLate = now - this.now > CLOCK_MS + LATE_MS;
    this.now = now;
    const isLast = this.#rounds.advance(now, (connection) => this.#examine(connection, isLate));
    if (!isLast) return;
    this.#counts.set(METRICS.outboxBytes, this.#waitingBytes);
    this.#waitingBytes = 0;
  }

  #examine(connection: ClientConnection, isLate: boolean): void {
    const { helloMs, limits } = this.#options;
    connection.messages = 0;
    if (!connection.closed) connection.receiver?.look();
    this.#waitingBytes += connection.waitingBytes;
    // A reader that stands still does not answer our close for long. Its subscriptions end now.
    if (connection.closed) this.#options.gateway.disconnected(connection);
    if (connection.goesBy !== undefined && this.now > connection.goesBy)
      connection.close(CLOSE_CODES.draining, 'another node has room');
    const silent = this.now - connection.heard;
    if (connection.client === undefined && this.now - connection.since > helloMs) {
      connection.close(CLOSE_CODES.noHello, 'no hello in time');
    } else if (silent > limits.idleMs && (connection.pinged || connection.closed))
      connection.socket.terminate();
    else if (!connection.pinged && !connection.closed && isDue(connection, silent, limits)) {
      connection.pinged = true;
      connection.socket.ping();
    }
    if (connection.isHidden ? silent < HIDE_MS : !isLate && silent > HIDE_MS && connection.hasPresence)
      this.#options.gateway.setHidden(connection, !connection.isHidden);
  }
}

/** True if the socket has been silent long enough to be pinged. */
function isDue(connection: ClientConnection, silent: number, { idleMs }: Limits): boolean {
  return silent > idleMs / 2 || (silent > PING_PRESENT_MS && connection.hasPresence);
}

/** Whole ms, for the times kept with each socket. */
const steadyNow = (): number => Math.round(performance.now());
