// The state of the in-memory network: its hosts, cut and refused directions, delays, and connections. Only
// network-memory.ts changes it; it decides nothing.
import type { Timers } from '../../../actors/clock.ts';
import type { PeerAddress, PeerIdentity } from '../../../cluster/peer/network.ts';
import type { WirePair } from '../../../cluster/peer/wire.ts';
import { type End, MemoryConnection, type Surroundings } from './memory-wire.ts';

export class Space implements Surroundings {
  readonly clock: Timers;
  readonly random: () => number;
  /** The latest life of each node, by node. */
  readonly hosts = new Map<string, Host>();
  /** Cut directions, by `way`. */
  readonly cuts = new Set<string>();
  /** Directions in which dials are refused, by `way`. */
  readonly refusals = new Set<string>();
  readonly delays = new Map<string, Delay>();
  readonly connections = new Set<MemoryConnection>();
  readonly #delay: Delay;

  constructor(clock: Timers, random: () => number, delay: Delay) {
    this.clock = clock;
    this.random = random;
    this.#delay = delay;
  }

  isCut(from: End, to: End): boolean {
    return this.cuts.has(way(from.identity.node, to.identity.node));
  }

  refuses(from: End, to: End): boolean {
    return this.refusals.has(way(from.identity.node, to.identity.node));
  }

  delayMs(from: End, to: End): number {
    const { minMs, maxMs } = this.delays.get(way(from.identity.node, to.identity.node)) ?? this.#delay;
    return minMs + this.random() * (maxMs - minMs);
  }

  /** The host at that address: one that listens if there is one, otherwise a host that had the address. */
  at({ host, port }: PeerAddress): Host | undefined {
    const there = [...this.hosts.values()].filter(
      ({ address }) => address.host === host && address.port === port,
    );
    return there.find(({ accept }) => accept !== undefined) ?? there[0];
  }

  join(a: Host, b: Host): MemoryConnection {
    const connection = new MemoryConnection(this, a, b, () => this.connections.delete(connection));
    this.connections.add(connection);
    return connection;
  }

  between(a: string, b: string): readonly MemoryConnection[] {
    return [...this.connections].filter((connection) => connection.isBetween(a, b));
  }
}

export interface Delay {
  readonly minMs: number;
  readonly maxMs: number;
}

export const way = (from: string, to: string): string => `${from} ${to}`;

/** One life of a node's process. */
export class Host implements End {
  readonly identity: PeerIdentity;
  readonly address: PeerAddress;
  readonly clock: Timers;
  accept: ((pair: WirePair) => void) | undefined;
  alive = true;
  paused = false;
  #late: (() => void)[] = [];

  constructor(identity: PeerIdentity, address: PeerAddress, clock: Timers) {
    this.identity = identity;
    this.address = address;
    this.clock = {
      now: () => clock.now(),
      after: (ms, run) => {
        let cancelled = false;
        const cancel = clock.after(ms, () =>
          this.run(() => {
            if (!cancelled) run();
          }),
        );
        return () => {
          cancelled = true;
          cancel();
        };
      },
    };
  }

  /** Runs the work now, or once the host resumes, or never if the host is killed. */
  run(work: () => void): void {
    if (!this.alive) return;
    if (this.paused) this.#late.push(work);
    else work();
  }

  resume(): void {
    this.paused = false;
    const late = this.#late;
    this.#late = [];
    // Work that comes due meanwhile keeps its place, also if the host is paused again meanwhile.
    for (const work of late) this.run(work);
  }
}
