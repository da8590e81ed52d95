// Opens the database of a node that starts: the embedded PostgreSQL, if the configuration says so, and its schema.
import type { Logger } from 'pino';
import { startEmbeddedPostgres } from '../../actors/storage/embedded-postgres.ts';
import type { ControlStore } from '../../actors/storage/store.ts';
import { StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { embeddedSettings } from '../membership/connection-budget.ts';

/** Resolves to the URL of the database. */
export async function openStorage(
  config: Config,
  log: Logger,
  onStop: (close: () => Promise<unknown>) => void,
): Promise<string> {
  if (config.storage.url !== 'embedded') return config.storage.url;
  const embedded = await startEmbeddedPostgres({
    directory: config.storage.embedded.directory,
    settings: embeddedSettings(config),
    log: (message) => log.info({ storage: 'embedded' }, message),
  });
  onStop(() => embedded.stop());
  return embedded.url;
}

/** Applies missing migrations, or rejects with StartError if the configuration leaves them to the operator. */
export async function migrate(config: Config, control: ControlStore, log: Logger): Promise<void> {
  if (config.storage.migrate) {
    const applied = await control.migrate();
    if (applied.length > 0) log.info({ migrations: applied }, 'the schema was migrated');
    return;
  }
  const missing = await control.pendingMigrations();
  if (missing.length > 0) {
    throw new StartError(
      `the database lacks ${missing.length} migrations (${missing.join(', ')}): run troupe migrate, or set storage.migrate=true`,
    );
  }
}
