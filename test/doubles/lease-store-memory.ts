// A Redis in memory that several nodes of one process share, with the real lease store over it. For tests and
// simulations, with faults on demand. Time and randomness are handed in, and nothing is durable.

import type { Timers } from '../../actors/clock.ts';
import type { LeaseStore, MapEntry } from '../../cluster/liveness/lease-store.ts';
import type { Attempt, Backend, Connection, ConnectionEvents, Marked } from '../../cluster/redis/backend.ts';
import { ConnectedLeaseStore, type LeaseStoreSettings } from '../../cluster/redis/connected-store.ts';

export interface MemoryRedisOptions extends LeaseStoreSettings {
  readonly clock: Timers;
  /** In [0, 1). */
  readonly random: () => number;
  /**
   * Delay of each way between a node and Redis, asked for each message. The default is one turn of the clock.
   */
  readonly delayMs?: (node: string) => number;
}

/**
 * refused: open connections end, and new ones are refused. silent: connections stay open and nothing passes,
 * as when the process is stopped or a network drops everything.
 */
export type Away = 'refused' | 'silent';

export class MemoryRedis {
  readonly #options: MemoryRedisOptions;
  readonly #connections = new Set<MemoryConnection>();
  readonly #away = new Map<string, Away>();
  readonly #lostReplies = new Map<string, number>();
  readonly #data: Data;

  constructor(options: MemoryRedisOptions) {
    this.#options = options;
    this.#data = new Data(options.clock);
  }

  /** Returns a store for that node. Each store has a connection of its own. */
  connect(node: string, settings: LeaseStoreSettings = {}): LeaseStore {
    const { clock, random } = this.#options;
    const backend: Backend = { connect: (events) => this.#attempt(node, events) };
    return new ConnectedLeaseStore({ ...this.#options, ...settings, backend, clock, random });
  }

  /** Sets the fault for one node, or for all nodes. Undefined ends it. */
  setAway(away: Away | undefined, node: string = EVERYBODY): void {
    if (away === undefined) this.#away.delete(node);
    else this.#away.set(node, away);
    if (away !== 'refused') return;
    for (const connection of [...this.#connections]) {
      if (node === EVERYBODY || connection.node === node) connection.end('connection refused');
    }
  }

  /** Deletes all data. Connections stay open. */
  empty(): void {
    this.#data.empty();
  }

  /** The next `count` calls of the node take effect, and their answers are lost. */
  loseReplies(node: string, count: number): void {
    this.#lostReplies.set(node, count);
  }

  get connections(): number {
    return this.#connections.size;
  }

  #attempt(node: string, events: ConnectionEvents): Attempt {
    const connection = new MemoryConnection(node, this.#network, events);
    const opened = this.#travel(connection, 'there').then(() => {
      if (this.#awayFrom(node) === 'refused') throw new Error('connection refused');
      if (this.#awayFrom(node) === 'silent') return never<Connection>();
      if (!connection.ended) this.#connections.add(connection);
      return connection;
    });
    return { connection: opened, destroy: () => connection.destroy() };
  }

  readonly #network: Network = {
    call: async (connection, run) => {
      await this.#travel(connection, 'there');
      if (connection.ended) throw new Error('connection closed');
      if (this.#awayFrom(connection.node) !== undefined) return never();
      const answer = run(this.#data);
      const lost = this.#lostReplies.get(connection.node) ?? 0;
      if (lost > 0) this.#lostReplies.set(connection.node, lost - 1);
      await this.#travel(connection, 'back');
      if (connection.ended) throw new Error('connection closed');
      return lost > 0 || this.#awayFrom(connection.node) !== undefined ? never() : answer;
    },
    tell: (event) => {
      for (const connection of this.#connections) {
        if (!connection.subscribed) continue;
        void this.#travel(connection, 'back').then(() => {
          if (this.#awayFrom(connection.node) === undefined) connection.told(event);
        });
      }
    },
    ended: (connection) => {
      this.#connections.delete(connection);
    },
  };

  #awayFrom(node: string): Away | undefined {
    return this.#away.get(EVERYBODY) ?? this.#away.get(node);
  }

  /** Messages of one way on one connection stay in order. */
  #travel(connection: MemoryConnection, way: 'there' | 'back'): Promise<void> {
    const { clock, delayMs } = this.#options;
    const now = clock.now();
    const at = Math.max(connection.arrival[way], now + (delayMs?.(connection.node) ?? 0));
    connection.arrival[way] = at;
    return new Promise((arrive) => {
      clock.after(at - now, arrive);
    });
  }
}

/** No node has this name. */
const EVERYBODY = '*';

const never = <T>(): Promise<T> => new Promise<T>(() => {});

/** The stored data, changed as redis/scripts.ts does it. */
class Data {
  readonly #clock: Timers;
  readonly #leases = new Map<string, { readonly text: string; readonly expiresAt: number }>();
  readonly #map = new Map<number, MapEntry>();
  #marker: string | undefined;

  constructor(clock: Timers) {
    this.#clock = clock;
  }

  mark(candidate: string): string {
    this.#marker ??= candidate;
    return this.#marker;
  }

  renew(run: string, text: string, ttlMs: number): void {
    this.#leases.set(run, { text, expiresAt: this.#clock.now() + ttlMs });
  }

  list(): string[] {
    const now = this.#clock.now();
    for (const [run, { expiresAt }] of this.#leases) if (expiresAt <= now) this.#leases.delete(run);
    return [...this.#leases.values()].map(({ text }) => text);
  }

  release(run: string): void {
    this.#leases.delete(run);
  }

  raise(entries: readonly MapEntry[]): void {
    for (const entry of entries) {
      const [shard, , epoch] = entry;
      if (epoch > (this.#map.get(shard)?.[2] ?? -1)) this.#map.set(shard, entry);
    }
  }

  map(): MapEntry[] {
    return [...this.#map.values()];
  }

  empty(): void {
    this.#leases.clear();
    this.#map.clear();
    this.#marker = undefined;
  }
}

interface Network {
  call<T>(connection: MemoryConnection, run: (data: Data) => T): Promise<T>;
  tell(event: string): void;
  ended(connection: MemoryConnection): void;
}

class MemoryConnection implements Connection {
  readonly node: string;
  readonly arrival = { there: 0, back: 0 };
  readonly #network: Network;
  readonly #events: ConnectionEvents;
  subscribed = false;
  ended = false;

  constructor(node: string, network: Network, events: ConnectionEvents) {
    this.node = node;
    this.#network = network;
    this.#events = events;
  }

  destroy(): void {
    this.ended = true;
    this.#network.ended(this);
  }

  end(reason: string): void {
    if (this.ended) return;
    this.destroy();
    this.#events.onLost(reason);
  }

  told(event: string): void {
    if (!this.ended) this.#events.onEvent(event);
  }

  mark(candidate: string): Promise<Marked<void>> {
    return this.#run(candidate, () => undefined);
  }

  renew(candidate: string, run: string, lease: string, ttlMs: number): Promise<Marked<void>> {
    return this.#run(candidate, (data) => data.renew(run, lease, ttlMs));
  }

  list(candidate: string): Promise<Marked<readonly string[]>> {
    return this.#run(candidate, (data) => data.list());
  }

  release(candidate: string, run: string): Promise<Marked<void>> {
    return this.#run(candidate, (data) => data.release(run));
  }

  raise(candidate: string, entries: readonly MapEntry[]): Promise<Marked<void>> {
    return this.#run(candidate, (data) => data.raise(entries));
  }

  map(candidate: string): Promise<Marked<readonly MapEntry[]>> {
    return this.#run(candidate, (data) => data.map());
  }

  publish(event: string): Promise<void> {
    return this.#network.call(this, () => this.#network.tell(event));
  }

  subscribe(): Promise<void> {
    return this.#network.call(this, () => {
      this.subscribed = true;
    });
  }

  #run<T>(candidate: string, run: (data: Data) => T): Promise<Marked<T>> {
    return this.#network.call(this, (data) => ({ marker: data.mark(candidate), value: run(data) }));
  }
}
