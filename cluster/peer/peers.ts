// The PeerNetwork over any Wires: the runs to connect with, one peer per run, redials with back-off. It never
// touches a socket, and knows nothing of frames.
import type { Timers } from '../../actors/clock.ts';
import { assertMove, type Moves } from '../../actors/modes.ts';
import { PeerConnection } from './connection.ts';
import {
  dials,
  type Peer,
  type PeerAddress,
  type PeerDial,
  type PeerEnd,
  type PeerEvent,
  type PeerIdentity,
  type PeerLimits,
  type PeerLog,
  type PeerNetwork,
  type PeerTarget,
  type ProbeResult,
} from './network.ts';
import type { DialResult, WirePair, Wires } from './wire.ts';

/** A run that could not be reached for UNREACHED_MS is logged, then again at most once per TELL_AGAIN_MS. */
const UNREACHED_MS = 5000;
const TELL_AGAIN_MS = 60_000;

export interface PeersOptions {
  readonly wires: Wires;
  readonly clock: Timers;
  /** In [0, 1). */
  readonly random: () => number;
  readonly limits: PeerLimits;
  readonly log: PeerLog;
  /** Called with the targets of pulses whenever they change. pulse-sender.ts sends the pulses. */
  readonly onPulseTargets?: ((targets: readonly PeerTarget[]) => void) | undefined;
}

export class Peers implements PeerNetwork {
  readonly identity: PeerIdentity;
  readonly #options: PeersOptions;
  readonly #connections = new Map<string, PeerConnection>();
  readonly #dialling = new Map<string, Dial>();
  #listener: (event: PeerEvent) => void = () => {};
  #closed = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.identity = options.wires.identity;
  }

  listen(): Promise<PeerAddress> {
    return this.#options.wires.listen(
      (pair) => this.#connect(pair, false),
      (run) => this.#connections.get(run)?.pulse(),
    );
  }

  dial(target: PeerTarget): PeerDial {
    const own = this.identity.run;
    if (target.run === own || this.#dialling.has(target.run) || this.#closed)
      throw new Error(`run ${target.run} is ${target.run === own ? 'our own' : 'dialled already'}`);
    const { port } = target.address;
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`not a port: ${port}`);
    const dial = new Dial(target, dials(own, target.run), this.#options, {
      connected: (pair) => this.#connect(pair, true),
      failed: (event) => this.#listener(event),
      ended: () => {
        this.#dialling.delete(target.run);
        this.#connections.get(target.run)?.close();
      },
    });
    this.#dialling.set(target.run, dial);
    if (this.#connections.has(target.run)) this.#tellPulseTargets();
    dial.start();
    return dial;
  }

  onEvent(listener: (event: PeerEvent) => void): void {
    this.#listener = listener;
  }

  peers(): readonly Peer[] {
    return [...this.#connections.values()];
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const dial of [...this.#dialling.values()]) dial.close();
    for (const peer of [...this.#connections.values()]) peer.close();
    await this.#options.wires.close();
  }

  #connect(pair: WirePair, dialled: boolean): void {
    const { clock, limits, log } = this.#options;
    this.#connections.get(pair.remote.run)?.end('superseded');
    const peer = new PeerConnection({
      pair,
      dialled,
      clock,
      limits,
      onDown: (connection, reason, detail) => this.#disconnected(connection, reason, detail),
    });
    this.#connections.set(peer.run, peer);
    log('info', 'a node is connected', { peer: peer.node, run: peer.run });
    this.#listener({ type: 'up', peer });
    peer.start();
    this.#tellPulseTargets();
  }

  #disconnected(peer: PeerConnection, reason: PeerEnd, detail: string): void {
    this.#connections.delete(peer.run);
    this.#tellPulseTargets();
    const level = reason === 'closed-here' || reason === 'closed-there' ? 'info' : 'warn';
    this.#options.log(level, 'the connection to a node has ended', {
      peer: peer.node,
      run: peer.run,
      reason,
      detail,
    });
    this.#listener({ type: 'down', peer, reason });
    if (reason !== 'superseded') this.#dialling.get(peer.run)?.disconnected();
  }

  /**
   * The targets are the peers that are up. The address of a peer that dialled us is unknown until `dial` is
   * called for it.
   */
  #tellPulseTargets(): void {
    const { onPulseTargets } = this.#options;
    if (onPulseTargets === undefined) return;
    const dials = [...this.#connections.keys()].map((run) => this.#dialling.get(run));
    onPulseTargets(dials.flatMap((dial) => (dial === undefined ? [] : [dial.target])));
  }
}

interface DialEvents {
  connected(pair: WirePair): void;
  failed(event: PeerEvent): void;
  ended(): void;
}

type DialMode = 'resting' | 'waiting' | 'attempting' | 'closed';

/** Resting: the run is connected, or the other end dials. */
const MOVES: Moves<DialMode> = {
  resting: ['waiting', 'closed'],
  waiting: ['attempting', 'closed'],
  attempting: ['resting', 'waiting', 'closed'],
  closed: [],
};

/**
 * The dials to one run. Only `#setMode` changes the mode, by a move of MOVES. `#cancel` stops the wait or the attempt
 * under way.
 */
class Dial implements PeerDial {
  readonly target: PeerTarget;
  readonly #active: boolean;
  readonly #options: PeersOptions;
  readonly #events: DialEvents;
  readonly #probes = new Set<() => void>();
  #mode: DialMode = 'resting';
  #cancel: () => void = () => {};
  #failures = 0;
  /** Since when no dial has succeeded, and when that was last logged. */
  #failingMs: number | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(target: PeerTarget, active: boolean, options: PeersOptions, events: DialEvents) {
    this.target = target;
    this.#active = active;
    this.#options = options;
    this.#events = events;
  }

  start(): void {
    if (this.#active) this.#wait(0);
  }

  disconnected(): void {
    if (!this.#active || this.#mode !== 'resting') return;
    this.#failures = 0;
    this.#wait(this.#backOffMs());
  }

  redialNow(timeoutMs: number): Promise<ProbeResult> {
    if (this.#mode === 'closed') return Promise.resolve('no-answer');
    if (this.#mode === 'waiting') {
      this.#cancel();
      this.#attempt();
    }
    return new Promise((resolve) => {
      const finish = (result: ProbeResult): void => {
        this.#probes.delete(abandon);
        resolve(result);
      };
      const cancel = this.#options.wires.probe(this.target, timeoutMs, finish);
      const abandon = (): void => {
        cancel();
        finish('no-answer');
      };
      this.#probes.add(abandon);
    });
  }

  close(): void {
    if (this.#mode === 'closed') return;
    this.#setMode('closed');
    this.#cancel();
    for (const abandon of [...this.#probes]) abandon();
    this.#events.ended();
  }

  #wait(ms: number): void {
    this.#setMode('waiting');
    this.#cancel = this.#options.clock.after(ms, () => this.#attempt());
  }

  #attempt(): void {
    this.#setMode('attempting');
    const { wires, limits } = this.#options;
    this.#cancel = wires.dial(this.target, limits.handshakeMs, (result) => this.#attempted(result));
  }

  #attempted(result: DialResult): void {
    const { target } = this;
    if (result.type === 'up') {
      this.#setMode('resting');
      this.#failures = 0;
      this.#failingMs = undefined;
      this.#events.connected(result.pair);
      return;
    }
    this.#wait(this.#backOffMs());
    this.#tellFailing(result.type === 'unreachable' ? result.reason : result.type);
    if (result.type === 'unreachable')
      this.#events.failed({ type: 'unreachable', target, reason: result.reason });
    else this.#events.failed({ type: result.type, target });
  }

  #setMode(mode: DialMode): void {
    assertMove(`the dial to run ${this.target.run}`, MOVES, this.#mode, mode);
    this.#mode = mode;
  }

  /** A run whose process has died is fenced long before this logs it. */
  #tellFailing(reason: string): void {
    const now = this.#options.clock.now();
    this.#failingMs ??= now;
    if (now - this.#failingMs < UNREACHED_MS || now - this.#toldMs < TELL_AGAIN_MS) return;
    this.#toldMs = now;
    const { run, address } = this.target;
    const where = `${address.host}:${address.port}`;
    this.#options.log('warn', 'a node is not reached where it says that it is', {
      run,
      address: where,
      reason,
    });
  }

  #backOffMs(): number {
    const { backoffFirstMs, backoffMaxMs } = this.#options.limits;
    const most = Math.min(backoffMaxMs, backoffFirstMs * 2 ** Math.min(this.#failures++, 20));
    return this.#options.random() * most;
  }
}
