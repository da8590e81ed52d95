// `troupe migrate`: brings the schema of the configured PostgreSQL up to date, and nothing else.
import { EXIT, type ExitCode } from '../../config/fatal.ts';
import { showDuration } from '../../config/keys/units.ts';
import type { Config } from '../../config/schema.ts';
import { redact } from '../../config/showing/redact.ts';
import { withDatabase } from './database.ts';
import type { Output } from './output.ts';

/** Resolves with 0 once no migration is missing. May run beside nodes and beside another migration. */
export function migrate(config: Config, io: Output): Promise<ExitCode> {
  return withDatabase(
    config,
    async (store) => {
      const applied = await store.migrate();
      for (const name of applied) io.stdout.write(`The migration ${name} was applied.\n`);
      if (applied.length === 0) io.stdout.write('The schema is up to date.\n');
      return EXIT.ok;
    },
    ({ reason, timeoutMs }) =>
      io.stderr.write(
        `PostgreSQL is not reached yet (${redact(reason)}); trying for ${showDuration(timeoutMs)}\n`,
      ),
  );
}
