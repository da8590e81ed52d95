// A real Redis and a real PostgreSQL of a chaos run's own, which the run can kill.
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import type { ChaosServices } from '../../loadtest/chaos/chaos-cluster.ts';
import { startTestPostgres } from '../support/postgres.ts';
import { startTestRedis } from '../support/redis.ts';

const GONE_LOOK_MS = 5;

/** Starts the services. The closers given to `after` end them. */
export async function startServices(t: { after(close: () => Promise<void>): void }): Promise<ChaosServices> {
  const server = await startTestPostgres();
  t.after(() => server.stop());
  const redis = await startTestRedis(t);
  return {
    postgres: {
      database: () => newDatabase(server.url),
      kill: async () => {
        const { pid } = server;
        process.kill(pid, 'SIGKILL');
        while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, GONE_LOOK_MS));
      },
    },
    redis: { port: redis.port, kill: () => redis.kill(), start: () => redis.start() },
    faultyMain: fileURLToPath(new URL('./faulty-node.js', import.meta.url)),
  };
}

async function newDatabase(server: string): Promise<string> {
  const name = `chaos_${randomUUID().slice(0, 8)}`;
  const sql = postgres(server, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    await sql`CREATE DATABASE ${sql(name)}`;
  } finally {
    await sql.end({ timeout: 5 });
  }
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
