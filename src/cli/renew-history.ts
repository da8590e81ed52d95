// `troupe storage renew-history`: after a backup was restored. Clients may hold what the database has lost:
// from now on none of them goes on with it, each loads its documents anew.
import { EXIT, type ExitCode, StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { demandSchema, withDatabase } from './database.ts';
import { type Output, plural } from './output.ts';

/** What the backup says of nodes is old: whether any run, their connections tell. */
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
