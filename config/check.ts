// What keys demand of one another, after each is valid by itself. Pure.
import { BlockList, isIP } from 'node:net';
import type { Problem } from './fatal.ts';
import type { Settings } from './schema.ts';

/** Every demand that is not met; the path is the key to change. */
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
    commit.queueBytes >= commit.maxBytes,
    'commit.queueBytes',
    `one full batch must fit: expected at least commit.maxBytes = ${commit.maxBytes}, found ${commit.queueBytes}`,
  );
  demand(
    gateway.outboxBytes >= limits.frameBytes,
    'gateway.outboxBytes',
    `one committed frame must fit: expected at least limits.frameBytes = ${limits.frameBytes}, found ${gateway.outboxBytes}`,
  );
  return problems;
}

/** Room for what surrounds a patch in its frame: type, names, seq, base. */
const ENVELOPE_BYTES = 1_024;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether only this machine can reach it. A name other than localhost is not trusted to resolve to one. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
