// The lease store in Redis, through ioredis. The operations of a backend run as scripts, on one connection
// for commands and one for the subscription. Both connections open and end together.
import { type Cluster, type Redis, ReplyError } from 'ioredis';
import { systemClock, type Timers } from '../../actors/clock.ts';
import {
  type Attempt,
  type Backend,
  type Connection,
  type ConnectionEvents,
  type Marked,
  RedisRefusal,
} from '../redis/backend.ts';
import { type RedisAddress, type RedisClients, redisClients } from '../redis/client.ts';
import { ConnectedLeaseStore, type LeaseStoreSettings } from '../redis/connected-store.ts';
import { type Keys, keysOf, LIST, MAP, MARK, RAISE, RELEASE, RENEW } from '../redis/scripts.ts';
import type { LeaseStore, MapEntry } from './lease-store.ts';

/** All but `clock` and `random` can be sent to another thread. */
export interface RedisLeaseStoreOptions extends LeaseStoreSettings {
  readonly redis: RedisAddress;
  readonly cluster: string;
  /** Prefix of every key and channel. Default `troupe`. */
  readonly prefix?: string;
  readonly clock?: Timers;
  readonly random?: () => number;
}

/**
 * Connects at once, in the background. Throws if a certificate file cannot be read. A user of Redis's ACL
 * needs
 * `~troupe:{NAME}:* &troupe:{NAME}:* +eval +get +set +hset +hget +hgetall +hdel +time +publish +subscribe`,
 * and for a Redis Cluster also `+cluster|slots`.
 */
export function createRedisLeaseStore(options: RedisLeaseStoreOptions): LeaseStore {
  const clients = (): RedisClients => redisClients(options.redis, CONNECT_TIMEOUT_MS);
  clients();
  return new ConnectedLeaseStore({
    ...options,
    backend: new RedisBackend(clients, keysOf(options.prefix ?? 'troupe', options.cluster)),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  });
}

/** Limit of one TCP connection. The store has a limit of its own over all of them. */
const CONNECT_TIMEOUT_MS = 2_000;

class RedisBackend implements Backend {
  readonly #clients: () => RedisClients;
  readonly #keys: Keys;

  constructor(clients: () => RedisClients, keys: Keys) {
    this.#clients = clients;
    this.#keys = keys;
  }

  connect(events: ConnectionEvents): Attempt {
    try {
      const connection = new RedisConnection(this.#clients(), this.#keys, events);
      return { connection: connection.open(), destroy: () => connection.destroy() };
    } catch (error) {
      return { connection: Promise.reject(error), destroy: () => {} };
    }
  }
}

class RedisConnection implements Connection {
  readonly #clients: RedisClients;
  readonly #keys: Keys;
  readonly #events: ConnectionEvents;
  readonly #main: Redis | Cluster;
  #subscriber: Redis | undefined;
  #subscription: Promise<void> | undefined;
  #opened = false;
  #ended = false;
  #lastError: string | undefined;

  constructor(clients: RedisClients, keys: Keys, events: ConnectionEvents) {
    this.#clients = clients;
    this.#keys = keys;
    this.#events = events;
    this.#main = clients.main();
    this.#watch(this.#main);
  }

  async open(): Promise<this> {
    try {
      await this.#main.connect();
    } catch (error) {
      // ioredis often rejects only with the news that the connection was closed. It has emitted the reason
      // before.
      throw new Error(this.#lastError ?? String(error), { cause: error });
    }
    this.#opened = true;
    return this;
  }

  destroy(): void {
    this.#ended = true;
    this.#main.disconnect();
    this.#subscriber?.disconnect();
  }

  mark(candidate: string): Promise<Marked<void>> {
    return this.#done(MARK, [this.#keys.marker], candidate);
  }

  renew(candidate: string, run: string, lease: string, ttlMs: number): Promise<Marked<void>> {
    return this.#done(RENEW, [this.#keys.marker, this.#keys.leases], candidate, run, lease, ttlMs);
  }

  list(candidate: string): Promise<Marked<readonly string[]>> {
    return this.#run(LIST, [this.#keys.marker, this.#keys.leases], candidate);
  }

  release(candidate: string, run: string): Promise<Marked<void>> {
    return this.#done(RELEASE, [this.#keys.marker, this.#keys.leases], candidate, run);
  }

  raise(candidate: string, entries: readonly MapEntry[]): Promise<Marked<void>> {
    const args = entries.flatMap(([shard, owner, epoch]) => [shard, epoch, owner]);
    return this.#done(RAISE, [this.#keys.marker, this.#keys.map], candidate, ...args);
  }

  async map(candidate: string): Promise<Marked<readonly MapEntry[]>> {
    const { marker, value } = await this.#run(MAP, [this.#keys.marker, this.#keys.map], candidate);
    const entries: MapEntry[] = [];
    for (let i = 0; i + 1 < value.length; i += 2) {
      const [epoch, owner] = (value[i + 1] ?? '').split(':');
      entries.push([Number(value[i]), Number(owner), Number(epoch)]);
    }
    return { marker, value: entries };
  }

  async publish(event: string): Promise<void> {
    await refusals(this.#main.publish(this.#keys.channel, event));
  }

  subscribe(): Promise<void> {
    this.#subscription ??= this.#subscribe();
    return this.#subscription;
  }

  async #subscribe(): Promise<void> {
    if (this.#ended) return;
    const subscriber = this.#clients.subscriber(this.#main);
    this.#subscriber = subscriber;
    this.#watch(subscriber);
    subscriber.on('message', (_channel: string, event: string) => this.#events.onEvent(event));
    await subscriber.connect();
    await subscriber.subscribe(this.#keys.channel);
  }

  async #done(script: string, keys: string[], ...args: (string | number)[]): Promise<Marked<void>> {
    const { marker } = await this.#run(script, keys, ...args);
    return { marker, value: undefined };
  }

  /** Every script returns an array of strings, the marker first. */
  async #run(
    script: string,
    keys: string[],
    ...args: (string | number)[]
  ): Promise<Marked<readonly string[]>> {
    const reply = await refusals(this.#main.eval(script, keys.length, ...keys, ...args));
    if (!Array.isArray(reply)) throw new Error('Redis answered with a value that is not a list');
    const [marker, ...value] = reply.map(String);
    if (marker === undefined) throw new Error('Redis answered with an empty list');
    return { marker, value };
  }

  #watch(client: Redis | Cluster): void {
    client.on('error', (error: Error) => {
      this.#lastError = describe(error);
    });
    client.on('end', () => {
      if (this.#ended || !this.#opened) return;
      this.#ended = true;
      this.#events.onLost(this.#lastError ?? 'the connection was closed');
    });
  }
}

/**
 * READONLY and similar errors end the connection, because after a fail-over another server is the primary.
 */
async function refusals<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof ReplyError && !/READONLY|LOADING|MASTERDOWN|CLUSTERDOWN/.test(describe(error))) {
      throw new RedisRefusal(describe(error), { cause: error });
    }
    throw error;
  }
}

/** An AggregateError over several addresses has an empty message, so the single errors are joined. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describe).join('; ');
  return error instanceof Error ? error.message || error.name : String(error);
}
