// What the in-memory network is made of: hosts, who hears whom, how long it takes, and the connections
// there are. Only network-memory.ts changes it; it decides nothing.
import type { Clock } from './clock.ts';
import { type End, MemoryConnection, type Surroundings } from './memory-wire.ts';
import type { PeerAddress, PeerIdentity } from './network.ts';
import type { WirePair } from './wire.ts';

export class Space implements Surroundings {
  readonly clock: Clock;
  readonly random: () => number;
  /** By node; the latest life. */
  readonly hosts = new Map<string, Host>();
  /** Directions that are cut, by `way`. */
  readonly cuts = new Set<string>();
  /** Directions in which dials are refused, likewise. */
  readonly refusals = new Set<string>();
  readonly delays = new Map<string, Delay>();
  readonly connections = new Set<MemoryConnection>();
  private readonly delay: Delay;

  constructor(clock: Clock, random: () => number, delay: Delay) {
    this.clock = clock;
    this.random = random;
    this.delay = delay;
  }

  isCut(from: End, to: End): boolean {
    return this.cuts.has(way(from.identity.node, to.identity.node));
  }

  refuses(from: End, to: End): boolean {
    return this.refusals.has(way(from.identity.node, to.identity.node));
  }

  delayMs(from: End, to: End): number {
    const { minMs, maxMs } = this.delays.get(way(from.identity.node, to.identity.node)) ?? this.delay;
    return minMs + this.random() * (maxMs - minMs);
  }

  /** Who has that address: the one that listens, else whoever had it. */
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
  readonly clock: Clock;
  accept: ((pair: WirePair) => void) | undefined;
  alive = true;
  paused = false;
  private late: (() => void)[] = [];

  constructor(identity: PeerIdentity, address: PeerAddress, clock: Clock) {
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

  /** Now, when it runs again, or never. */
  run(work: () => void): void {
    if (!this.alive) return;
    if (this.paused) this.late.push(work);
    else work();
  }

  resume(): void {
    this.paused = false;
    const late = this.late;
    this.late = [];
    // What comes due meanwhile, or is left when it is paused again within, keeps its place.
    for (const work of late) this.run(work);
  }
}
