// The work that a load causes behind the nodes and in them: processor time of nodes, PostgreSQL and Redis, and the counters of
// both databases. Two readings make a use. Only services that the run itself started are read; a value that cannot be read is
// undefined and never made up.
import { readdir, readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import postgres from 'postgres';

/** PostgreSQL and Redis of a run. */
export interface Services {
  readonly postgresUrl: string;
  /** The postmaster; undefined while it does not run. */
  postmaster(): Promise<number | undefined>;
  /** Undefined for a single node, which has none. */
  readonly redisUrl: string | undefined;
}

/** Counters since some moment; only their differences say anything. */
export interface Counters {
  /** By clock(), ms. */
  readonly at: number;
  readonly nodes: readonly NodeCounters[];
  /** Processor seconds of everything on this machine; undefined where the system does not say. */
  readonly machine: number | undefined;
  readonly postgres: PostgresCounters | undefined;
  readonly redis: RedisCounters | undefined;
}

export interface NodeCounters {
  readonly node: string;
  /** Processor seconds of the main thread, and of all other threads. */
  readonly main: number;
  readonly others: number;
  readonly residentBytes: number;
}

export interface PostgresCounters {
  readonly cpu: number;
  readonly commits: number;
  /** Rows written: inserted, updated or deleted. */
  readonly rows: number;
  readonly walBytes: number;
  /** Size of the database. */
  readonly storedBytes: number;
}

export interface RedisCounters {
  readonly cpu: number;
  readonly commands: number;
  readonly bytes: number;
}

/** The use between two readings: counters a second, and sizes. */
export interface Usage {
  readonly seconds: number;
  /** Processors used by all nodes together. */
  readonly mainCpu: number;
  readonly othersCpu: number;
  /** The main thread with the most. */
  readonly busiestMainCpu: number;
  /** Bytes of all nodes at the end. */
  readonly residentBytes: number;
  /** Processors that everything on this machine used, programs that are no part of the run included. */
  readonly machineCpu: number | undefined;
  readonly postgres: PostgresCounters | undefined;
  readonly redis: RedisCounters | undefined;
}

/** Undefined if nothing was read of the nodes. */
export function usageBetween(before: Counters, after: Counters): Usage | undefined {
  const seconds = (after.at - before.at) / 1000;
  const nodes = after.nodes.flatMap((now) => {
    const old = before.nodes.find(({ node }) => node === now.node);
    // A node that was started anew counts from zero.
    return old === undefined || now.main < old.main ? [] : [{ old, now }];
  });
  if (seconds <= 0 || nodes.length === 0) return undefined;
  const main = nodes.map(({ old, now }) => (now.main - old.main) / seconds);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const rate = <T extends object>(old: T | undefined, now: T | undefined): T | undefined => {
    if (old === undefined || now === undefined) return undefined;
    const entries = Object.entries(now).map(([name, value]) => [
      name,
      (Number(value) - Number(Reflect.get(old, name))) / seconds,
    ]);
    return Object.fromEntries(entries) as T;
  };
  return {
    seconds,
    mainCpu: sum(main),
    othersCpu: sum(nodes.map(({ old, now }) => (now.others - old.others) / seconds)),
    busiestMainCpu: Math.max(...main),
    residentBytes: sum(nodes.map(({ now }) => now.residentBytes)),
    machineCpu:
      before.machine === undefined || after.machine === undefined
        ? undefined
        : (after.machine - before.machine) / seconds,
    postgres: rate(before.postgres, after.postgres),
    redis: rate(before.redis, after.redis),
  };
}

interface Watched {
  readonly name: string;
  pid(): number | undefined;
}

/** Nodes that tell their counters themselves. */
interface Telling {
  counters(): Promise<readonly NodeCounters[]>;
}

/** Reads the counters. It has one connection to each database, and close() ends them. */
export class UsageReader {
  readonly #nodes: readonly Watched[] | Telling;
  readonly #services: Services | undefined;
  readonly #now: () => number;
  readonly #sql: postgres.Sql | undefined;
  readonly #redis: Redis | undefined;

  constructor(nodes: readonly Watched[] | Telling, services: Services | undefined, now: () => number) {
    this.#nodes = nodes;
    this.#services = services;
    this.#now = now;
    if (services === undefined) return;
    this.#sql = postgres(services.postgresUrl, { max: 1, onnotice: () => undefined });
    if (services.redisUrl !== undefined) this.#redis = new Redis(services.redisUrl, { lazyConnect: true });
    this.#redis?.on('error', () => undefined);
  }

  async read(): Promise<Counters> {
    const [nodes, machine, postgres, redis] = await Promise.all([
      'counters' in this.#nodes ? this.#nodes.counters() : Promise.all(this.#nodes.map(nodeCounters)),
      machineSeconds().catch(() => undefined),
      this.#readPostgres().catch(() => undefined),
      this.#readRedis().catch(() => undefined),
    ]);
    const there = nodes.filter((node) => node !== undefined);
    return { at: this.#now(), nodes: there, machine, postgres, redis };
  }

  async close(): Promise<void> {
    this.#redis?.disconnect();
    await this.#sql?.end({ timeout: 1 }).catch(() => undefined);
  }

  async #readPostgres(): Promise<PostgresCounters | undefined> {
    const [sql, pid] = [this.#sql, await this.#services?.postmaster()];
    if (sql === undefined || pid === undefined) return undefined;
    const [cpu, [row]] = await Promise.all([
      familyCpu(pid),
      sql<{ commits: string; rows: string; wal: string; stored: string }[]>`
        SELECT xact_commit AS commits, tup_inserted + tup_updated + tup_deleted AS rows,
               pg_current_wal_insert_lsn() - '0/0' AS wal, pg_database_size(datid) AS stored
        FROM pg_stat_database WHERE datname = current_database()`,
    ]);
    if (row === undefined) return undefined;
    return {
      cpu,
      commits: Number(row.commits),
      rows: Number(row.rows),
      walBytes: Number(row.wal),
      storedBytes: Number(row.stored),
    };
  }

  async #readRedis(): Promise<RedisCounters | undefined> {
    const info = await this.#redis?.info();
    if (info === undefined) return undefined;
    const value = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0);
    return {
      cpu: value('used_cpu_user') + value('used_cpu_sys'),
      commands: value('total_commands_processed'),
      bytes: value('total_net_input_bytes') + value('total_net_output_bytes'),
    };
  }
}

/** Clock ticks a second in which Linux counts processor time. */
const TICKS = 100;

async function nodeCounters(watched: Watched): Promise<NodeCounters | undefined> {
  const id = watched.pid();
  if (id === undefined) return undefined;
  try {
    const [whole, main, status] = await Promise.all([
      statOf(`/proc/${id}/stat`),
      statOf(`/proc/${id}/task/${id}/stat`),
      readFile(`/proc/${id}/status`, 'utf8'),
    ]);
    const kilobytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    return {
      node: watched.name,
      main: main.own,
      others: whole.own - main.own,
      residentBytes: kilobytes * 1024,
    };
  } catch {
    // It has ended, or the system has no /proc.
    return undefined;
  }
}

/** With the time that a hypervisor has given to others. */
async function machineSeconds(): Promise<number> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS;
}

/** Processor seconds of a process and its children, with those that have ended. */
async function familyCpu(parent: number): Promise<number> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(
    ids.map(async (id) => ({
      isParent: Number(id) === parent,
      ...(await statOf(`/proc/${id}/stat`).catch(() => GONE)),
    })),
  );
  return stats.reduce((sum, { isParent, own, ended, parent: of }) => {
    if (isParent) return sum + own + ended;
    return of === parent ? sum + own : sum;
  }, 0);
}

const GONE = { parent: 0, own: 0, ended: 0 };

async function statOf(path: string): Promise<{ parent: number; own: number; ended: number }> {
  const stat = await readFile(path, 'utf8');
  // The name of the process may contain spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = (from: number) => (Number(fields[from]) + Number(fields[from + 1])) / TICKS;
  return { parent: Number(fields[1]), own: ticks(11), ended: ticks(13) };
}
