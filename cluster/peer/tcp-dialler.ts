// Dials a run over TCP or TLS: two connections for a peer, one for a probe, a question or pulses. It tries once; trying again
// is its callers' business.
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
} from './handshake.ts';
import type { PeerAddress, PeerIdentity, PeerTarget, ProbeResult } from './network.ts';
import { channelOf, type TcpDialContext } from './tcp-context.ts';
import { TcpWire } from './tcp-wire.ts';
import type { DialResult, Wire } from './wire.ts';

type Reached =
  | { readonly type: 'reached'; readonly wire: TcpWire; readonly introduced: Introduced }
  | { readonly type: 'refused' | 'replaced' }
  /** lost: the connection failed, rather than that the other end refused. */
  | {
      readonly type: 'unreachable';
      readonly reason: string;
      readonly lost: boolean;
      /** Somebody took the connection. */
      readonly connected: boolean;
      readonly refusal?: Refusal;
      readonly remote?: PeerIdentity;
    };

/** What a run says to a node that would be its peer. */
export type Answer =
  | { readonly type: 'accepts' | 'refuses'; readonly remote: PeerIdentity; readonly reason: string }
  /** Somebody takes connections there and ends them without a hello: with TLS on one end only, or with another CA. */
  | { readonly type: 'no-hello'; readonly reason: string }
  /** Nobody, another run, something else, or late. */
  | { readonly type: 'none' };

/**
 * A process that is being killed loses its connections before it stops listening: a probe that comes
 * in between is cut off. It asks again, until it is refused or late.
 */
const PROBE_AGAIN_MS = 20;
const ASK_AGAIN_MS = 250;

/** One connection, opened and introduced. */
type Open = (purpose: Purpose, next: (reached: Reached) => void) => void;

export class TcpDialler {
  private readonly context: TcpDialContext;
  private readonly attempts = new Set<() => void>();

  constructor(context: TcpDialContext) {
    this.context = context;
  }

  dial(target: PeerTarget, timeoutMs: number, done: (result: DialResult) => void): () => void {
    const late: DialResult = { type: 'unreachable', reason: 'no answer in time' };
    return this.attempt<DialResult>(target, timeoutMs, late, done, (open, finish) => {
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
    return this.attempt<ProbeResult>(target, timeoutMs, 'no-answer', done, (open, finish) => {
      const ask = (): void =>
        open(PROBE, (answer) => {
          if (answer.type === 'reached') finish('connected', false);
          else if (answer.type !== 'unreachable') finish(answer.type, false);
          else if (answer.lost) this.context.clock.after(PROBE_AGAIN_MS, ask);
          else finish('no-answer', false);
        });
      ask();
    });
  }

  /** Who is there, and whether it takes us; what it says of itself is not proved where it refuses. */
  ask(target: PeerTarget, timeoutMs: number, done: (answer: Answer) => void): () => void {
    // What is lost may be a process that ends, or the end of another's TLS: that shows in what follows.
    let last: Answer = { type: 'none' };
    const cancel = this.attempt<Answer | undefined>(
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
              this.context.clock.after(ASK_AGAIN_MS, ask);
            }
          });
        ask();
      },
    );
    return cancel;
  }

  /** A wire for pulses; undefined: it could not be had. */
  dialForPulses(target: PeerTarget, timeoutMs: number, done: (wire: Wire | undefined) => void): () => void {
    return this.attempt<Wire | undefined>(target, timeoutMs, undefined, done, (open, finish) => {
      open(PULSES, (reached) => {
        if (reached.type === 'reached') finish(reached.wire, true);
        else finish(undefined, false);
      });
    });
  }

  close(): void {
    for (const cancel of [...this.attempts]) cancel();
  }

  /** Runs steps under one deadline. Unless `finish` keeps them, the sockets they opened are destroyed. */
  private attempt<Result>(
    target: PeerTarget,
    timeoutMs: number,
    late: Result,
    done: (result: Result) => void,
    run: (open: Open, finish: (result: Result, keep: boolean) => void) => void,
  ): () => void {
    const { clock, randomBytes } = this.context;
    const connection = randomBytes(CONNECTION_ID_BYTES);
    const sockets: Socket[] = [];
    let over = false;
    const stop = (keep: boolean): void => {
      if (over) return;
      over = true;
      cancelDeadline();
      this.attempts.delete(cancel);
      if (!keep) for (const socket of sockets) socket.destroy();
    };
    const cancel = (): void => stop(false);
    const cancelDeadline = clock.after(timeoutMs, () => {
      stop(false);
      done(late);
    });
    this.attempts.add(cancel);
    run(
      (purpose, next) => {
        if (over) return;
        const socket = this.connect(target.address);
        sockets.push(socket);
        let told = false;
        this.introduced(socket, target.run, purpose, connection, (reached) => {
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

  private connect({ host, port }: PeerAddress): Socket {
    const { tls } = this.context.credentials;
    if (tls === undefined) return connect({ host, port });
    // The ca says who is a node; nodes need no host names.
    return connectTls({ host, port, ...tls, minVersion: 'TLSv1.3', checkServerIdentity: () => undefined });
  }

  private introduced(
    socket: Socket,
    run: string,
    purpose: Purpose,
    connection: Uint8Array,
    next: (reached: Reached) => void,
  ): void {
    const { identity, credentials, clock, limits, randomBytes } = this.context;
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

/** Where a name has several addresses, all of them refuse. */
function isRefusal(error: NodeJS.ErrnoException): boolean {
  const errors: NodeJS.ErrnoException[] = error instanceof AggregateError ? error.errors : [error];
  return errors.every(({ code }) => code === 'ECONNREFUSED');
}
