// Accepts connections of other nodes, and pairs the two that make a peer. Unknown clients cost little:
// connections, their time and log lines are bounded. The listener never dials.
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { HEARTBEAT, NO_PAYLOAD } from '../frames.ts';
import { HEARTBEATS, type Introduced, LINK, PROBE, PULSES, type Refusal, receive } from '../handshake.ts';
import type { PeerAddress } from '../network.ts';
import type { WirePair } from '../wire.ts';
import { RefusalLog } from './refusal-log.ts';
import { channelOf, type TcpContext } from './tcp-context.ts';
import { TcpWire } from './tcp-wire.ts';

/** Keys of the configuration that may differ on the other node, by the refusal that they cause. */
const KEYS: Partial<Readonly<Record<Refusal, string>>> = {
  cluster: 'cluster.name',
  authentication: 'cluster.secret',
};
const TLS_KEYS = 'cluster.link.tls';
/** Bytes of answers to pulses that may wait for a peer that does not read. Further answers are left out. */
const MAX_ANSWER_BACKLOG_BYTES = 4096;

interface Pending {
  /** The socket below TLS. */
  readonly socket: Socket;
  readonly cancelDeadline: () => void;
  /** True once TLS stands, or is not used, or its failure has been logged. */
  isSecured: boolean;
}

interface Waiting {
  readonly wire: TcpWire;
  readonly introduced: Introduced;
  readonly release: () => void;
}

export class TcpListener {
  readonly #context: TcpContext;
  readonly #server: Server;
  /** Connections that belong to no peer yet, by remote address. */
  readonly #pending = new Map<string, Pending>();
  /** Links that wait for their heartbeat connection, by connection id. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #refusals: RefusalLog;
  readonly #pulses = new Map<string, TcpWire>();
  #onPair: (pair: WirePair) => void = () => {};
  #onPulse: (run: string) => void = () => {};

  constructor(context: TcpContext) {
    this.#context = context;
    this.#refusals = new RefusalLog(context.clock, context.log);
    const { tls } = context.credentials;
    const { handshakeMs } = context.limits;
    if (tls === undefined) {
      this.#server = createServer((socket) => {
        this.#arrived(socket);
        this.#secured(socket);
      });
    } else {
      const server = createTlsServer(
        {
          ...tls,
          requestCert: true,
          rejectUnauthorized: true,
          minVersion: 'TLSv1.3',
          handshakeTimeout: handshakeMs,
        },
        (socket) => this.#secured(socket),
      );
      server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
        // A socket that has been reset already has no remote address. The end of the socket below is logged
        // instead.
        if (socket.remoteAddress !== undefined) {
          const from = addressOf(socket);
          this.#refusals.refused({ from, reason: error.code ?? error.message, see: TLS_KEYS });
          this.#secureOrTold(from);
        }
        socket.destroy();
      });
      server.on('connection', (socket: Socket) => this.#arrived(socket));
      this.#server = server;
    }
  }

  listen(onPair: (pair: WirePair) => void, onPulse: (run: string) => void): Promise<PeerAddress> {
    this.#onPair = onPair;
    this.#onPulse = onPulse;
    const { host, port } = this.#context;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        // Such an error may be a lack of descriptors. The other node tries again.
        this.#server.on('error', (error) =>
          this.#context.log('warn', 'the listener for other nodes reports an error', {
            error: String(error),
          }),
        );
        const address = this.#server.address();
        resolve({ host, port: typeof address === 'object' && address !== null ? address.port : port });
      });
    });
  }

  async close(): Promise<void> {
    for (const [from, { socket }] of this.#pending) {
      this.#secureOrTold(from);
      socket.destroy();
    }
    for (const wire of this.#pulses.values()) wire.destroy();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #arrived(socket: Socket): void {
    const { clock, limits } = this.#context;
    const from = addressOf(socket);
    socket.on('error', () => {});
    if (this.#pending.size >= limits.maxPendingHandshakes) {
      this.#refusals.refused({ from, reason: 'too many handshakes' });
      socket.destroy();
      return;
    }
    const cancelDeadline = clock.after(limits.handshakeMs, () => {
      this.#refusals.refused({ from, reason: 'slow handshake' });
      this.#secureOrTold(from);
      socket.destroy();
    });
    const pending: Pending = { socket, cancelDeadline, isSecured: false };
    this.#pending.set(from, pending);
    socket.once('close', () => {
      if (!pending.isSecured)
        this.#refusals.refused({ from, reason: 'closed before TLS was established', see: TLS_KEYS });
      this.#release(from);
    });
  }

  #secureOrTold(from: string): void {
    const pending = this.#pending.get(from);
    if (pending !== undefined) pending.isSecured = true;
  }

  #release(from: string): void {
    this.#pending.get(from)?.cancelDeadline();
    this.#pending.delete(from);
  }

  #secured(socket: Socket): void {
    if (socket.destroyed) return;
    const { identity, credentials, clock, limits, randomBytes } = this.#context;
    const from = addressOf(socket);
    this.#secureOrTold(from);
    const wire = new TcpWire(socket, clock);
    const context = { identity, secret: credentials.secret, channel: channelOf(socket), randomBytes };
    receive(
      wire,
      context,
      (introduced) => this.#admit(introduced),
      (result) => {
        if (result.type === 'failed') {
          wire.finish();
          const { reason, refusal, remote } = result;
          this.#refusals.refused({
            from,
            reason,
            ...(remote === undefined ? {} : { peer: remote.node, cluster: remote.cluster }),
            ...(refusal === undefined ? {} : { see: KEYS[refusal] }),
          });
          return;
        }
        if (result.introduced.purpose !== PULSES) wire.trust(limits.maxFrameBytes);
        this.#introduced({ wire, introduced: result.introduced, release: () => this.#release(from) }, socket);
      },
    );
  }

  #admit({ purpose, connection, remote }: Introduced): Refusal | undefined {
    const link = this.#waiting.get(connection);
    if (purpose !== HEARTBEATS) return link === undefined ? undefined : 'unknown-connection';
    return link?.introduced.remote.run === remote.run ? undefined : 'unknown-connection';
  }

  #introduced(arrived: Waiting, socket: Socket): void {
    const { purpose, connection, remote } = arrived.introduced;
    switch (purpose) {
      case PROBE:
        arrived.wire.finish();
        return;
      case LINK:
        this.#waiting.set(connection, arrived);
        socket.once('close', () => this.#waiting.delete(connection));
        return;
      case HEARTBEATS: {
        const link = this.#waiting.get(connection);
        if (link === undefined) {
          arrived.wire.destroy();
          return;
        }
        this.#waiting.delete(connection);
        link.release();
        arrived.release();
        this.#onPair({ remote, link: link.wire, heartbeat: arrived.wire });
        return;
      }
      case PULSES:
        arrived.release();
        this.#takePulses(remote.run, arrived.wire, socket);
        return;
      default:
        throw new Error(`unknown purpose ${String(purpose satisfies never)}`);
    }
  }

  /**
   * Keeps one connection per run. Each pulse is answered by a pulse, so that the sender knows that the
   * connection stands.
   */
  #takePulses(run: string, wire: TcpWire, socket: Socket): void {
    this.#pulses.get(run)?.destroy();
    this.#pulses.set(run, wire);
    socket.once('close', () => {
      if (this.#pulses.get(run) === wire) this.#pulses.delete(run);
    });
    socket.setTimeout(this.#context.limits.silenceMs, () => socket.destroy());
    wire.start({
      frame: ({ type, payload }) => {
        if (type !== HEARTBEAT || payload.length > 0) {
          const reason = `frame of type ${type} among pulses`;
          this.#refusals.refused({ from: addressOf(socket), reason });
          wire.destroy();
          return;
        }
        if (wire.bufferedBytes < MAX_ANSWER_BACKLOG_BYTES) wire.send(HEARTBEAT, 0, NO_PAYLOAD);
        this.#onPulse(run);
      },
      end: () => {},
    });
  }
}

function addressOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
