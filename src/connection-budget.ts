// Whether the database has room for the connections that this node will take: asked before it takes them,
// since a node that lacks some stalls later, and its neighbours with it.
import { pause, systemClock } from '../actors/clock.ts';
import type { ControlStore } from '../actors/storage/store.ts';
import { CONTROL_CONNECTIONS } from '../actors/storage/store-postgres.ts';
import { isClustered } from '../config/clustered.ts';
import { StartError } from '../config/fatal.ts';
import type { Config } from '../config/schema.ts';

export interface NodeConnections {
  readonly total: number;
  /** What they are, in words. */
  readonly parts: string;
}

/** The most that a node of this configuration has open for long. */
export function connectionsOf(config: Config): NodeConnections {
  const { workers, storage, compute } = config;
  const parts: [string, number][] = [
    ['to write', workers],
    ['to read', workers * storage.readConnections],
    ['to fold snapshots', compute.threads],
    ['of the control plane', CONTROL_CONNECTIONS],
    ['to listen', 1],
  ];
  if (isClustered(config)) parts.push(['of the lease thread', CONTROL_CONNECTIONS]);
  return {
    total: parts.reduce((sum, [, count]) => sum + count, 0),
    parts: parts.map(([what, count]) => `${count} ${what}`).join(', '),
  };
}

/** What an embedded PostgreSQL allows by itself, and what of it others may want. */
const EMBEDDED_CONNECTIONS = 200;
const OTHERS = 50;

/** So that a machine of many processors needs no setting. */
export function embeddedSettings(config: Config): Readonly<Record<string, string>> {
  const wanted = connectionsOf(config).total + OTHERS;
  return wanted > EMBEDDED_CONNECTIONS ? { max_connections: String(wanted) } : {};
}

/** Those of a node that has just ended are counted for a moment yet. */
const PATIENCE_MS = 5_000;
const LOOK_EVERY_MS = 250;
/** One of ours is open, and counted among those in use: the one that asks. */
const OURS = 1;

/** Rejects with StartError where there is too little; warns where another node of this size would find too little. */
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
      // Alone no second one is wanted.
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
