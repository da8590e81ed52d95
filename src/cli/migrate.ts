// `troupe migrate`: brings the schema of the configured PostgreSQL up to date, and nothing else.
import { startEmbeddedPostgres } from '../../actors/storage/embedded-postgres.ts';
import { createControlStore } from '../../actors/storage/store-postgres.ts';
import { EXIT, type ExitCode } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';

interface Output {
  readonly stdout: { write(text: string): unknown };
}

/** Resolves with 0 once no migration is missing. May run beside nodes and beside another migrate. */
export async function migrate(config: Config, io: Output): Promise<ExitCode> {
  const { url, embedded, connectTimeoutMs } = config.storage;
  if (url !== 'embedded') return await migrateAt(url, connectTimeoutMs, io);
  const server = await startEmbeddedPostgres({ directory: embedded.directory });
  try {
    return await migrateAt(server.url, connectTimeoutMs, io);
  } finally {
    await server.stop();
  }
}

async function migrateAt(url: string, connectTimeoutMs: number, io: Output): Promise<ExitCode> {
  const store = createControlStore({ url, connectTimeoutMs });
  try {
    const applied = await store.migrate();
    for (const name of applied) io.stdout.write(`applied ${name}\n`);
    if (applied.length === 0) io.stdout.write('The schema is up to date.\n');
    return EXIT.ok;
  } finally {
    await store.close();
  }
}
