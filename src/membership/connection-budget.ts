// Checks before a node starts whether the database has room for the node's connections. A node without enough
// connections would stall later, and other nodes with it.
import { pause, systemClock } from '../../actors/clock.ts';
import type { ControlStore } from '../../actors/storage/store.ts';
import {
  CONTROL_CONNECTIONS,
  EVENT_CONNECTIONS,
  REQUEST_CONNECTIONS,
} from '../../actors/storage/store-postgres.ts';
import { isClustered } from '../../config/clustered.ts';
import { StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { IDENTITY_CONNECTIONS } from '../identity/store-postgres.ts';

export interface NodeConnections {
  readonly total: number;
  /** The parts of the total, in words. */
  readonly parts: string;
}

/** The most connections that a node of this configuration keeps open. */
export function connectionsOf(config: Config): NodeConnections {
  const { workers, storage, compute, history } = config;
  const parts: [string, number][] = [
    ['to write', workers],
    ['to read', workers * storage.readConnections],
    ['to fold snapshots', compute.threads],
    ['to read histories', history.threads + history.connections],
    ['of the control plane', CONTROL_CONNECTIONS],
    ['of requests', REQUEST_CONNECTIONS],
    ['to listen', 1],
  ];
  if (config.auth.mode === 'jwt') parts.push(['for logins', IDENTITY_CONNECTIONS]);
  if (config.events.enabled) parts.push(['for events', EVENT_CONNECTIONS]);
  if (isClustered(config)) parts.push(['of the lease thread', CONTROL_CONNECTIONS]);
  return {
    total: parts.reduce((sum, [, count]) => sum + count, 0),
    parts: parts.map(([what, count]) => `${count} ${what}`).join(', '),
  };
}

/** The default limit of an embedded PostgreSQL, and the part of it that other programs may want. */
const EMBEDDED_CONNECTIONS = 200;
const OTHERS = 50;

/** Raises max_connections on a machine with many processors, so that no setting is needed. */
export function embeddedSettings(config: Config): Readonly<Record<string, string>> {
  const wanted = connectionsOf(config).total + OTHERS;
  return wanted > EMBEDDED_CONNECTIONS ? { max_connections: String(wanted) } : {};
}

/** Connections of a node that has just ended are still counted for a moment. */
const PATIENCE_MS = 5_000;
const LOOK_EVERY_MS = 250;
/** The connection that asks is this node's, and counted as in use. */
const OURS = 1;

/**
 * Rejects with StartError if there is too little room. Warns if a second node of this size would find too
 * little.
 */
export async function checkConnections(
  config: Config,
  store: Pick<ControlStore, 'connectionBudget'>,
  warn: (message: string, fields: object) => void,
  clock = systemClock,
): Promise<void> {
  const { total, parts } = connectionsOf(config);
  const until = clock.now() + PATIENCE_MS;
  for (;;) {
    const { max, reserved, used } = await store.connectionBudget();
    const room = max - reserved - used + OURS;
    if (room >= total) {
      // A node without a cluster has no second node.
      if (isClustered(config) && room < 2 * total)
        warn('no second node of this size would find room for its connections to PostgreSQL', {
          room,
          connections: total,
          maxConnections: max,
        });
      return;
    }
    if (clock.now() >= until) {
      throw new StartError(
        `PostgreSQL has room for ${Math.max(0, room)} more connections and this node takes ${total} (${parts}): of max_connections = ${max}, ${reserved} are reserved and ${used} in use. Raise max_connections, or lower workers or storage.readConnections`,
      );
    }
    await pause(clock, LOOK_EVERY_MS);
  }
}
