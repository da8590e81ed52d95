// The state that the processes and clients of one simulation share: time, randomness, the database, Redis,
// the network between nodes, the trace and the counts. Each kind of chance has a random stream of its own.
import { SHARDS } from '../../actors/shard.ts';
import type { Pin } from '../../cluster/placement/pins.ts';
import { Rings } from '../../cluster/placement/rings.ts';
import { type Random, seededRandom } from '../../loadtest/clients/random-edits.ts';
import type { Limits } from '../../protocol/limits.ts';
import { MemoryRedis } from '../doubles/lease-store-memory.ts';
import { MemoryFabric } from '../doubles/network-memory.ts';
import type { MemoryCluster } from '../doubles/store-memory.ts';
import { createMemoryDatabase } from '../doubles/store-memory.ts';
import { RightsTable } from './clients/sim-users.ts';
import { Scheduler } from './scheduler.ts';
import { DatabaseLog } from './verdict/database-log.ts';
import type { Failure } from './verdict/failure.ts';
import { Trace, type TraceOptions } from './verdict/trace.ts';

const MiB = 1024 * 1024;

/** The wire's limits in a simulation. History is never folded away, because the checker reads all of it. */
export const LIMITS: Limits = {
  frameBytes: MiB,
  opBytes: MiB,
  receiveBytes: MiB,
  documentBytes: MiB,
  openDocuments: 20,
  opensPerSecond: 100,
  submitsPerSecond: 1000,
  presencesPerSecond: 30,
  presenceBytes: 4096,
  inflight: 64,
  depth: 100,
  workMs: 50,
  historyMs: 86_400_000,
  historyOps: 100_000,
  clientMemoryMs: 86_400_000,
  pingMs: 20_000,
  idleMs: 60_000,
};

/**
 * A ring depends on its members alone, so all simulations of a process share the rings. Making them would be a twentieth
 * of a run.
 */
const RINGS = new Rings();

/** The wall clock at the beginning. */
export const EPOCH_MS = 1_790_000_000_000;

/** Delays in milliseconds, each drawn when it is needed. */
export interface Delays {
  database: readonly [least: number, most: number];
  readonly redis: readonly [least: number, most: number];
  readonly client: readonly [least: number, most: number];
  readonly thread: readonly [least: number, most: number];
}

export class World {
  readonly seed: number;
  readonly scheduler = new Scheduler();
  readonly trace: Trace;
  readonly database: MemoryCluster;
  readonly log: DatabaseLog;
  readonly redis: MemoryRedis;
  readonly fabric: MemoryFabric;
  readonly rights = new RightsTable();
  readonly delays: Delays = { database: [0.1, 1.5], redis: [0.1, 1], client: [0.2, 4], thread: [0.02, 0.3] };
  readonly rings = RINGS;
  pins: readonly Pin[] = [];
  /** The documents at which workers die. */
  readonly poison = new Set<string>();
  /** Counts of faults by kind, and of other events. */
  readonly counts = new Map<string, number>();
  readonly failures: Failure[] = [];

  constructor(seed: number, trace: TraceOptions) {
    this.seed = seed;
    const { scheduler } = this;
    this.trace = new Trace(trace, scheduler.now);
    scheduler.onEvent = (time, sequence) => {
      this.trace.number(time);
      this.trace.number(sequence);
    };
    const bytes = this.random('bytes');
    const databaseDelay = this.random('database');
    this.database = createMemoryDatabase({
      delay: () => scheduler.sleep(between(databaseDelay, this.delays.database)),
      sleep: scheduler.sleep,
      nowMs: () => EPOCH_MS + scheduler.now(),
      random: (into) => {
        for (let i = 0; i < into.length; i++) into[i] = Math.floor(bytes() * 256);
      },
    });
    this.log = new DatabaseLog(this.database, () => this.scheduler.now());
    const redisDelay = this.random('redis');
    this.redis = new MemoryRedis({
      clock: scheduler,
      random: this.random('redis-client'),
      delayMs: () => between(redisDelay, this.delays.redis),
    });
    this.fabric = new MemoryFabric({
      clock: scheduler,
      random: this.random('fabric'),
      delay: { minMs: 0.1, maxMs: 2 },
    });
  }

  random(stream: string): Random {
    let mixed = Math.imul(this.seed ^ 0x5bd1e995, 0x2545f491);
    for (let i = 0; i < stream.length; i++) mixed = Math.imul(mixed ^ stream.charCodeAt(i), 0x01000193);
    return seededRandom(mixed ^ (mixed >>> 15));
  }

  /** All connections are lost, also idle ones. Their next statement detects it. */
  loseConnections(): void {
    for (const { id } of this.log.tables.sessions.list()) this.database.loseConnection(id, 'before-commit');
  }

  violated(rule: Failure['rule'], detail: string): void {
    this.failures.push({ rule, detail });
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }
}

export const between = (random: Random, [least, most]: readonly [number, number]): number =>
  least + random() * (most - least);

export const ALL_SHARDS: readonly number[] = Array.from({ length: SHARDS }, (_, shard) => shard);
