// `troupe storage renew-history`: for a database that was restored from a backup. Clients may hold versions
// that the database has lost. After this command no client continues with them; each loads its documents
// anew.
import { EXIT, type ExitCode, StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { demandSchema, withDatabase } from './database.ts';
import { type Output, plural } from './output.ts';

/** The backup's records of nodes are old, so connections show whether nodes run. */
export function renewHistory(
  config: Config,
  { force }: { readonly force: boolean },
  io: Output,
): Promise<ExitCode> {
  return withDatabase(config, async (store) => {
    await demandSchema(store);
    const { ours } = await store.connectionBudget();
    if (ours > 0 && !force) {
      throw new StartError(
        `nodes run on this database (${plural(ours, 'connection')} of theirs): stop them first. With --force they are fenced, and start over`,
      );
    }
    const tag = await store.renewHistory();
    await store.notify('members');
    io.stdout.write(`The history is renewed (${tag}): clients load their documents anew.\n`);
    return EXIT.ok;
  });
}
