// Dials a run over TCP or TLS: two connections for a peer, one for a probe, a question or pulses. The dialler
// does not repeat a failed dial; its callers do.
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  CONNECTION_ID_BYTES,
  HEARTBEATS,
  type Introduced,
  introduce,
  LINK,
  PROBE,
  PULSES,
  type Purpose,
  type Refusal,
} from '../handshake.ts';
import type { PeerAddress, PeerIdentity, PeerTarget, ProbeResult } from '../network.ts';
import type { DialResult, Wire } from '../wire.ts';
import { channelOf, type TcpDialContext } from './tcp-context.ts';
import { TcpWire } from './tcp-wire.ts';

type Reached =
  | { readonly type: 'reached'; readonly wire: TcpWire; readonly introduced: Introduced }
  | { readonly type: 'refused' | 'replaced' }
  /** lost: true if the connection failed, false if the other end refused. */
  | {
      readonly type: 'unreachable';
      readonly reason: string;
      readonly lost: boolean;
      /** True if the other end accepted the TCP connection. */
      readonly connected: boolean;
      readonly refusal?: Refusal;
      readonly remote?: PeerIdentity;
    };

/** The answer of a run to a node that would be its peer. */
export type Answer =
  | { readonly type: 'accepts' | 'refuses'; readonly remote: PeerIdentity; readonly reason: string }
  /**
   * The other end accepts connections and ends them without a hello: TLS is used on one end only, or its CA
   * is another one.
   */
  | { readonly type: 'no-hello'; readonly reason: string }
  /** Nobody listens, another run or another program answers, or the answer is late. */
  | { readonly type: 'none' };

/**
 * A process that is being killed loses its connections before it stops listening, so a probe in between is
 * cut off. The probe is repeated until it is refused or late.
 */
const PROBE_AGAIN_MS = 20;
const ASK_AGAIN_MS = 250;

/** Opens one connection and runs its handshake. */
type Open = (purpose: Purpose, next: (reached: Reached) => void) => void;

export class TcpDialler {
  readonly #context: TcpDialContext;
  readonly #attempts = new Set<() => void>();

  constructor(context: TcpDialContext) {
    this.#context = context;
  }

  dial(target: PeerTarget, timeoutMs: number, done: (result: DialResult) => void): () => void {
    const late: DialResult = { type: 'unreachable', reason: 'no answer in time' };
    return this.#attempt<DialResult>(target, timeoutMs, late, done, (open, finish) => {
      open(LINK, (link) => {
        if (link.type !== 'reached') return finish(link, false);
        open(HEARTBEATS, (heartbeat) => {
          if (heartbeat.type !== 'reached') return finish(heartbeat, false);
          const pair = { remote: link.introduced.remote, link: link.wire, heartbeat: heartbeat.wire };
          finish({ type: 'up', pair }, true);
        });
      });
    });
  }

  probe(target: PeerTarget, timeoutMs: number, done: (result: ProbeResult) => void): () => void {
    return this.#attempt<ProbeResult>(target, timeoutMs, 'no-answer', done, (open, finish) => {
      const ask = (): void =>
        open(PROBE, (answer) => {
          if (answer.type === 'reached') finish('connected', false);
          else if (answer.type !== 'unreachable') finish(answer.type, false);
          else if (answer.lost) this.#context.clock.after(PROBE_AGAIN_MS, ask);
          else finish('no-answer', false);
        });
      ask();
    });
  }

  /**
   * Asks which node is there, and whether it accepts this one. The identity of a node that refuses is not
   * proved.
   */
  ask(target: PeerTarget, timeoutMs: number, done: (answer: Answer) => void): () => void {
    // A lost connection may mean a process that is ending, or TLS on one end only. The next attempts tell
    // them apart.
    let last: Answer = { type: 'none' };
    const cancel = this.#attempt<Answer | undefined>(
      target,
      timeoutMs,
      undefined,
      (answer) => done(answer ?? last),
      (open, finish) => {
        const ask = (): void =>
          open(PROBE, (answer) => {
            if (answer.type === 'reached')
              finish({ type: 'accepts', remote: answer.introduced.remote, reason: '' }, false);
            else if (answer.type !== 'unreachable') finish({ type: 'none' }, false);
            else if (answer.remote?.run === target.run && answer.refusal !== undefined)
              finish({ type: 'refuses', remote: answer.remote, reason: answer.refusal }, false);
            else if (!answer.lost) finish({ type: 'none' }, false);
            else {
              last = answer.connected ? { type: 'no-hello', reason: answer.reason } : { type: 'none' };
              this.#context.clock.after(ASK_AGAIN_MS, ask);
            }
          });
        ask();
      },
    );
    return cancel;
  }

  /** A wire for pulses. Undefined if the run could not be reached. */
  dialForPulses(target: PeerTarget, timeoutMs: number, done: (wire: Wire | undefined) => void): () => void {
    return this.#attempt<Wire | undefined>(target, timeoutMs, undefined, done, (open, finish) => {
      open(PULSES, (reached) => {
        if (reached.type === 'reached') finish(reached.wire, true);
        else finish(undefined, false);
      });
    });
  }

  close(): void {
    for (const cancel of [...this.#attempts]) cancel();
  }

  /**
   * Runs the steps under one deadline. The sockets that they opened are destroyed, unless `finish` keeps
   * them.
   */
  #attempt<Result>(
    target: PeerTarget,
    timeoutMs: number,
    late: Result,
    done: (result: Result) => void,
    run: (open: Open, finish: (result: Result, keep: boolean) => void) => void,
  ): () => void {
    const { clock, randomBytes } = this.#context;
    const connection = randomBytes(CONNECTION_ID_BYTES);
    const sockets: Socket[] = [];
    let over = false;
    const stop = (keep: boolean): void => {
      if (over) return;
      over = true;
      cancelDeadline();
      this.#attempts.delete(cancel);
      if (!keep) for (const socket of sockets) socket.destroy();
    };
    const cancel = (): void => stop(false);
    const cancelDeadline = clock.after(timeoutMs, () => {
      stop(false);
      done(late);
    });
    this.#attempts.add(cancel);
    run(
      (purpose, next) => {
        if (over) return;
        const socket = this.#connect(target.address);
        sockets.push(socket);
        let told = false;
        this.#introduced(socket, target.run, purpose, connection, (reached) => {
          if (over || told) return;
          told = true;
          next(reached);
        });
      },
      (result, keep) => {
        stop(keep);
        done(result);
      },
    );
    return cancel;
  }

  #connect({ host, port }: PeerAddress): Socket {
    const { tls } = this.#context.credentials;
    if (tls === undefined) return connect({ host, port });
    // The CA decides which processes are nodes, so host names are not checked.
    return connectTls({ host, port, ...tls, minVersion: 'TLSv1.3', checkServerIdentity: () => undefined });
  }

  #introduced(
    socket: Socket,
    run: string,
    purpose: Purpose,
    connection: Uint8Array,
    next: (reached: Reached) => void,
  ): void {
    const { identity, credentials, clock, limits, randomBytes } = this.#context;
    let connected = false;
    socket.once('connect', () => {
      connected = true;
    });
    const lost = (reason: string): void => next({ type: 'unreachable', reason, lost: true, connected });
    const failed = (error: NodeJS.ErrnoException): void => {
      if (isRefusal(error)) next({ type: 'refused' });
      else lost(error.code ?? error.message);
    };
    const closed = (): void => lost('connection closed');
    socket.on('error', failed).on('close', closed);
    socket.once(credentials.tls === undefined ? 'connect' : 'secureConnect', () => {
      socket.off('error', failed).off('close', closed);
      const wire = new TcpWire(socket, clock);
      const context = { identity, secret: credentials.secret, channel: channelOf(socket), randomBytes };
      introduce(wire, context, purpose, connection, (result) => {
        if (result.type === 'failed') return next({ ...result, type: 'unreachable', connected });
        if (result.introduced.remote.run !== run) return next({ type: 'replaced' });
        if (purpose !== PULSES) wire.trust(limits.maxFrameBytes);
        next({ type: 'reached', wire, introduced: result.introduced });
      });
    });
  }
}

/** True if all addresses of the name refuse. */
function isRefusal(error: NodeJS.ErrnoException): boolean {
  const errors: NodeJS.ErrnoException[] = error instanceof AggregateError ? error.errors : [error];
  return errors.every(({ code }) => code === 'ECONNREFUSED');
}
