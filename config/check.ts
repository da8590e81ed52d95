// The rules between keys, checked after each key is valid by itself. Pure.
import { BlockList, isIP } from 'node:net';
import type { Problem } from './fatal.ts';
import type { Settings } from './schema.ts';
import { parseHostPort } from './urls/host-port.ts';

/** Every rule that is broken. The path is the key to change. */
export function crossCheck(settings: Settings): Problem[] {
  const { limits, actors, commit, gateway, retention } = settings;
  const problems: Problem[] = [];
  const demand = (holds: boolean, path: string, message: string) => {
    if (!holds) problems.push({ path, message });
  };

  demand(
    settings.auth.mode !== 'none' || isLoopback(settings.listen.host),
    'auth.mode',
    `none lets everyone in as an owner, so it is allowed on a loopback address only (127.0.0.1, ::1, localhost), and listen.host is ${settings.listen.host}`,
  );
  const { listen: metricsAddress } = settings.metrics;
  demand(
    metricsAddress === null || parseHostPort(metricsAddress).port <= 65_535,
    'metrics.listen',
    `${metricsAddress} is no address to listen on: expected a port from 0 to 65535`,
  );
  demand(
    limits.opBytes + ENVELOPE_BYTES <= limits.frameBytes,
    'limits.opBytes',
    `a patch must fit into a frame: expected at most limits.frameBytes - ${ENVELOPE_BYTES} = ${limits.frameBytes - ENVELOPE_BYTES}, found ${limits.opBytes}`,
  );
  demand(
    limits.presenceBytes + ENVELOPE_BYTES <= limits.frameBytes,
    'limits.presenceBytes',
    `a presence must fit into a frame: expected at most limits.frameBytes - ${ENVELOPE_BYTES} = ${limits.frameBytes - ENVELOPE_BYTES}, found ${limits.presenceBytes}`,
  );
  demand(
    limits.receiveBytes >= 1.5 * limits.documentBytes,
    'limits.receiveBytes',
    `a snapshot, which base64 makes a third larger, must fit into a frame with the presences beside it: expected at least 1.5 × limits.documentBytes = ${1.5 * limits.documentBytes}, found ${limits.receiveBytes}`,
  );
  demand(
    limits.idleMs >= 2 * limits.pingMs,
    'limits.idleMs',
    `one lost ping must not close a socket: expected at least 2 × limits.pingMs = ${2 * limits.pingMs}, found ${limits.idleMs}`,
  );
  demand(
    retention.keepMs === null || retention.keepMs >= limits.historyMs,
    'retention.keepMs',
    `clients are promised limits.historyMs: expected null, or at least ${limits.historyMs}, found ${retention.keepMs}`,
  );
  demand(
    retention.keepOps >= limits.historyOps,
    'retention.keepOps',
    `clients are promised limits.historyOps: expected at least ${limits.historyOps}, found ${retention.keepOps}`,
  );
  demand(
    actors.memoryBytes >= limits.documentBytes,
    'actors.memoryBytes',
    `one document must fit: expected at least limits.documentBytes = ${limits.documentBytes}, found ${actors.memoryBytes}`,
  );
  demand(
    actors.memoryBytes <= settings.worker.heapMb * 1_048_576,
    'actors.memoryBytes',
    `documents live on the worker's heap: expected at most worker.heapMb = ${settings.worker.heapMb * 1_048_576} bytes, found ${actors.memoryBytes}`,
  );
  demand(
    actors.mailboxBytes >= limits.frameBytes,
    'actors.mailboxBytes',
    `one frame must fit: expected at least limits.frameBytes = ${limits.frameBytes}, found ${actors.mailboxBytes}`,
  );
  demand(
    actors.waitingBytes >= actors.mailboxBytes,
    'actors.waitingBytes',
    `what waits for one document must fit: expected at least actors.mailboxBytes = ${actors.mailboxBytes}, found ${actors.waitingBytes}`,
  );
  demand(
    actors.quarantineMaxMs >= actors.quarantineMs,
    'actors.quarantineMaxMs',
    `the longest time is not the shortest: expected at least actors.quarantineMs = ${actors.quarantineMs}, found ${actors.quarantineMaxMs}`,
  );
  demand(
    commit.queueBytes >= commit.maxBytes,
    'commit.queueBytes',
    `one full batch must fit: expected at least commit.maxBytes = ${commit.maxBytes}, found ${commit.queueBytes}`,
  );
  demand(
    gateway.outboxBytes >= limits.frameBytes,
    'gateway.outboxBytes',
    `one committed frame must fit: expected at least limits.frameBytes = ${limits.frameBytes}, found ${gateway.outboxBytes}`,
  );
  demand(
    gateway.readBytes >= limits.frameBytes,
    'gateway.readBytes',
    `a frame must not hold its socket up for longer than a second: expected at least limits.frameBytes = ${limits.frameBytes}, found ${gateway.readBytes}`,
  );
  demand(
    settings.http.headersMs <= settings.http.requestMs,
    'http.headersMs',
    `the headers are a part of the request: expected at most http.requestMs = ${settings.http.requestMs}, found ${settings.http.headersMs}`,
  );
  const { tls } = settings.listen;
  demand(
    (tls.cert === null) === (tls.key === null),
    'listen.tls',
    'a certificate is shown with its key: expected cert and key, or neither',
  );
  const { endpoints, secret } = settings.webhooks;
  demand(
    endpoints.length === 0 || secret !== null,
    'webhooks.secret',
    'receivers know messages by their signature: expected a secret beside webhooks.endpoints',
  );
  demand(
    endpoints.length === 0 || settings.events.enabled,
    'events.enabled',
    'webhooks tell events: expected true beside webhooks.endpoints',
  );
  demand(
    new Set(endpoints.map(({ name }) => name)).size === endpoints.length,
    'webhooks.endpoints',
    'expected every name once',
  );
  problems.push(...checkAuth(settings), ...checkCluster(settings));
  return problems;
}

function checkAuth({ auth: { mode, jwt, session, callback } }: Settings): Problem[] {
  const problems: Problem[] = [];
  const demand = (holds: boolean, path: string, message: string) => {
    if (!holds) problems.push({ path, message });
  };
  demand(
    mode !== 'jwt' || jwt.secret !== null || jwt.jwks !== null,
    'auth.jwt',
    'tokens are checked with a key: expected auth.jwt.secret or auth.jwt.jwks beside auth.mode jwt',
  );
  demand(
    jwt.secret === null || jwt.jwks === null,
    'auth.jwt',
    'tokens are signed in one way: expected only one of auth.jwt.secret and auth.jwt.jwks',
  );
  demand(
    session.freshMs <= session.idleMs,
    'auth.session.idleMs',
    `a cookie that is good can be refreshed: expected at least auth.session.freshMs = ${session.freshMs}, found ${session.idleMs}`,
  );
  demand(
    session.idleMs <= session.lifeMs,
    'auth.session.lifeMs',
    `a session lives for as long as it can be refreshed: expected at least auth.session.idleMs = ${session.idleMs}, found ${session.lifeMs}`,
  );
  const { jwks } = jwt;
  if (jwks !== null && /^[a-z][a-z0-9+.-]+:/i.test(jwks))
    demandSafe('auth.jwt.jwks', jwks, jwt.allowHttp, 'somebody on the way could replace the keys', demand);
  if (callback.url !== null)
    demandSafe(
      'auth.callback.url',
      callback.url,
      callback.allowHttp,
      'somebody on the way could change roles',
      demand,
    );
  demand(
    callback.url === null || mode === 'jwt',
    'auth.callback.url',
    'with auth.mode none everyone is an owner: expected auth.mode jwt beside auth.callback.url',
  );
  return problems;
}

/** The URL leads to a server that is known to be the right one. `danger` completes the sentence of the problem. */
function demandSafe(
  path: string,
  text: string,
  allowHttp: boolean,
  danger: string,
  demand: (holds: boolean, path: string, message: string) => void,
): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    const orPath = path === 'auth.jwt.jwks' ? 'a path, or ' : '';
    demand(false, path, `expected ${orPath}a URL such as https://host/path`);
    return;
  }
  demand(
    url.username === '' && url.password === '',
    path,
    'a URL is shown in the log: expected one without user and password',
  );
  demand(
    url.protocol === 'https:' || allowHttp || isLoopback(url.hostname.replace(/^\[|\]$/g, '')),
    path,
    `${danger}: expected https, a loopback address, or ${path.replace(/[^.]+$/, 'allowHttp')}`,
  );
}

function checkCluster({ cluster, storage }: Settings): Problem[] {
  const { redis, link, advertise, pins } = cluster;
  const problems: Problem[] = [];
  const demand = (holds: boolean, path: string, message: string) => {
    if (!holds) problems.push({ path, message });
  };
  const ways = [redis.url !== null, redis.sentinels.length > 0, redis.nodes.length > 0].filter(
    Boolean,
  ).length;

  demand(
    ways <= 1,
    'cluster.redis',
    'one Redis is asked for, in one way: expected only one of url, sentinels and nodes',
  );
  demand(
    redis.sentinels.length === 0 || redis.master !== null,
    'cluster.redis.master',
    'Sentinels know the primary by a name: expected that name beside cluster.redis.sentinels',
  );
  demand(
    redis.master === null || redis.sentinels.length > 0,
    'cluster.redis.sentinels',
    'cluster.redis.master is a name that Sentinels know: expected their addresses beside it',
  );
  demand(
    (redis.tls.cert === null) === (redis.tls.key === null),
    'cluster.redis.tls',
    'a certificate is shown with its key: expected cert and key, or neither',
  );
  for (const name of ['sentinelUsername', 'sentinelPassword'] as const)
    demand(
      redis[name] === null || redis.sentinels.length > 0,
      `cluster.redis.${name}`,
      'it is for Sentinels: expected their addresses, cluster.redis.sentinels, beside it',
    );
  demand(
    redis.url === null || !redis.tls.enabled || usesTls(redis.url),
    'cluster.redis.tls.enabled',
    'a URL says by its scheme whether TLS is spoken: expected rediss:// in cluster.redis.url',
  );
  const redisIsClear = ways > 0 && !redis.tls.enabled && !usesTls(redis.url);
  for (const name of ['ca', 'cert', 'key'] as const)
    demand(
      redis.tls[name] === null || !redisIsClear,
      `cluster.redis.tls.${name}`,
      'the connection to Redis would be in the clear: expected rediss:// in cluster.redis.url, or cluster.redis.tls.enabled with sentinels or nodes',
    );
  const matches = pins.map(({ match }) => match);
  const [twice] = matches.filter((match, at) => matches.indexOf(match) < at);
  demand(
    twice === undefined,
    'cluster.pins',
    `one thing has one place: expected one pin of ${twice}, found ${matches.filter((match) => match === twice).length}`,
  );
  const linkFiles = [link.tls.cert, link.tls.key, link.tls.ca].filter((file) => file !== null).length;
  demand(
    linkFiles === 0 || linkFiles === 3,
    'cluster.link.tls',
    'both sides of a link show a certificate: expected cert, key and ca, or none of them',
  );
  demand(
    cluster.leaseTtlMs >= 2 * cluster.renewMs,
    'cluster.leaseTtlMs',
    `one lost renewal must not end a lease: expected at least 2 × cluster.renewMs = ${2 * cluster.renewMs}, found ${cluster.leaseTtlMs}`,
  );
  if (advertise !== null) {
    const { host, port } = parseHostPort(advertise);
    demand(
      !isWildcard(host) && port >= 1 && port <= 65_535,
      'cluster.advertise',
      `no other node can dial ${advertise}: expected a host or an address of this machine's, and a port from 1 to 65535`,
    );
  }
  if (ways === 0) return problems;
  demand(
    cluster.secret !== null,
    'cluster.secret',
    'nodes prove to one another that they belong together: expected a secret of at least 16 characters beside cluster.redis',
  );
  demand(
    advertise !== null || !isWildcard(link.host),
    'cluster.advertise',
    `no other node can dial cluster.link.host, which is ${link.host}: expected host:port where other nodes reach this one`,
  );
  demand(
    storage.url !== 'embedded',
    'storage.url',
    'the nodes of a cluster share one database, and an embedded one belongs to one node: expected the URL of a PostgreSQL beside cluster.redis',
  );
  return problems;
}

const usesTls = (redisUrl: string | null): boolean => redisUrl?.startsWith('rediss:') === true;

/**
 * True for an address that stands for all addresses of a machine: a server can listen on it, and no client
 * can dial it.
 */
function isWildcard(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === '*';
  return WILDCARDS.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** Room for the other parts of a patch's frame: type, names, seq, base. */
const ENVELOPE_BYTES = 1_024;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

const WILDCARDS = new BlockList();
WILDCARDS.addAddress('0.0.0.0', 'ipv4');
WILDCARDS.addAddress('::', 'ipv6');

/**
 * True if only this machine can reach the host. A name other than localhost may resolve to another address.
 */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
