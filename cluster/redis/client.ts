// Makes clients of Redis from the configuration: for one server, a primary that Sentinels name, or a Redis
// Cluster, with TLS and a user. A client serves one connection: it does not reconnect, queues nothing while
// it is not connected, and repeats nothing. Its user does that.
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { Cluster, Redis, type RedisOptions } from 'ioredis';

/** The section `cluster.redis` of the configuration. One of `url`, `sentinels` and `nodes` is given. */
export interface RedisAddress {
  /** redis://user:password@host:port/database, or rediss:// for TLS. */
  readonly url: string | null;
  /** Each a host:port. Goes with `master`, the name of the primary's group. */
  readonly sentinels: readonly string[];
  readonly master: string | null;
  /** Each a host:port, of some nodes of a Redis Cluster. */
  readonly nodes: readonly string[];
  readonly username: string | null;
  readonly password: string | null;
  readonly sentinelUsername: string | null;
  readonly sentinelPassword: string | null;
  readonly tls: {
    /** For `sentinels` and `nodes`. The scheme of a URL decides for `url`. */
    readonly enabled: boolean;
    /** Paths of files. */
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  };
}

export interface RedisClients {
  /** For commands. Connects on demand. */
  main(): Redis | Cluster;
  /** For a subscription. Called when `main` is connected. */
  subscriber(main: Redis | Cluster): Redis;
}

/**
 * Throws if a certificate file cannot be read. Called anew for each connection, because certificates are
 * replaced.
 */
export function redisClients(address: RedisAddress, connectTimeoutMs: number): RedisClients {
  const common = { ...ONE_CONNECTION, connectTimeout: connectTimeoutMs, ...user(address) };
  if (address.nodes.length > 0) {
    const options = { ...common, ...tls(address, address.tls.enabled) };
    return {
      main: () =>
        new Cluster(address.nodes.map(hostAndPort), {
          lazyConnect: true,
          enableOfflineQueue: false,
          enableReadyCheck: false,
          clusterRetryStrategy: null,
          clusterNodeRetryStrategy: null,
          maxRedirections: MAX_REDIRECTIONS,
          slotsRefreshTimeout: connectTimeoutMs,
          // Names from the nodes are used unresolved, so that certificates match.
          dnsLookup: (name, done) => done(null, name),
          redisOptions: options,
        }),
      subscriber: (main) => {
        // An event published on any node of a Redis Cluster reaches the subscribers of all nodes.
        const [node] = main instanceof Cluster ? main.nodes('master') : [];
        if (node === undefined) throw new Error('the Redis Cluster has no node');
        const { host = '', port = 0 } = node.options;
        return new Redis({ ...options, host, port });
      },
    };
  }
  const make = address.url === null ? sentinels(address, common) : single(address, address.url, common);
  return { main: make, subscriber: make };
}

const MAX_REDIRECTIONS = 3;
/** A connection that the other end does not close in time is dropped. */
const DISCONNECT_TIMEOUT_MS = 200;

const ONE_CONNECTION = {
  lazyConnect: true,
  retryStrategy: null,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  // The ready check needs permissions that Troupe does without. The store's own first command shows whether
  // Redis is ready.
  enableReadyCheck: false,
  disableClientInfo: true,
  protocol: 2,
  keepAlive: 5_000,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
} as const satisfies RedisOptions;

type Common = typeof ONE_CONNECTION & User & { readonly connectTimeout: number };

interface User {
  readonly username?: string;
  readonly password?: string;
}

function single(address: RedisAddress, url: string, common: Common): () => Redis {
  const options = { ...common, ...tls(address, url.startsWith('rediss:')) };
  // The options override the URL. Where they are missing, the user and password of the URL count.
  return () => new Redis(url, options);
}

function sentinels(address: RedisAddress, common: Common): () => Redis {
  const { tls: secured } = tls(address, address.tls.enabled);
  const options = {
    ...common,
    sentinels: address.sentinels.map(hostAndPort),
    name: address.master ?? '',
    sentinelRetryStrategy: () => null,
    ...(secured === undefined ? {} : { tls: secured, sentinelTLS: secured, enableTLSForSentinelMode: true }),
    ...(address.sentinelUsername === null ? {} : { sentinelUsername: address.sentinelUsername }),
    ...(address.sentinelPassword === null ? {} : { sentinelPassword: address.sentinelPassword }),
  } satisfies RedisOptions;
  return () => new Redis(options);
}

function user({ username, password }: RedisAddress): User {
  return { ...(username === null ? {} : { username }), ...(password === null ? {} : { password }) };
}

function tls({ tls: { ca, cert, key } }: RedisAddress, enabled: boolean): { tls?: ConnectionOptions } {
  if (!enabled) return {};
  return {
    tls: {
      ...(ca === null ? {} : { ca: readFileSync(ca) }),
      ...(cert === null ? {} : { cert: readFileSync(cert) }),
      ...(key === null ? {} : { key: readFileSync(key) }),
    },
  };
}

/** Accepts `[::1]:6379` too. */
function hostAndPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}
