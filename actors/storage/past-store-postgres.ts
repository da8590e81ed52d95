// The past of documents in PostgreSQL: the statements of postgres/past on a pool of their own. It never writes to
// the log.
import type { PastStore } from './past-store.ts';
import type { PostgresStoreOptions } from './postgres/connection/connect.ts';
import { Pool } from './postgres/connection/pool.ts';
import { Servers } from './postgres/connection/servers.ts';
import { keepAuthors, keptAuthors, pastDocument, snapshotAt } from './postgres/past/documents.ts';
import { nameOf, names, putName, removeName } from './postgres/past/names.ts';
import { patches, versionAt } from './postgres/past/patches.ts';

/** PostgreSQL knows the connections by this name. */
const NAME = 'troupe:past';
const CLOSE_MS = 1_000;

/** Opens nothing yet: the first call connects. */
export function createPastStore(options: PostgresStoreOptions, connections: number): PastStore {
  const servers = new Servers(options.url, options.lowestTimeline);
  const pool = new Pool(options, servers, NAME, connections);
  return {
    refuseBelow: (timeline) => {
      servers.refuseBelow(timeline);
      pool.recheck();
    },
    document: (org, name) => pool.run('document', (sql) => pastDocument(sql, org, name)),
    patches: (doc, after, upTo, bounds) =>
      pool.run('patches', (sql) => patches(sql, doc, after, upTo, bounds)),
    versionAt: (doc, at) => pool.run('versionAt', (sql) => versionAt(sql, doc, at)),
    snapshot: (doc, upTo) => pool.run('snapshot', (sql) => snapshotAt(sql, doc, upTo)),
    names: (doc, after, limit) => pool.run('names', (sql) => names(sql, doc, after, limit)),
    name: (doc, name) => pool.run('name', (sql) => nameOf(sql, doc, name)),
    putName: (doc, named, state, most) => pool.run('putName', (sql) => putName(sql, doc, named, state, most)),
    removeName: (doc, name) => pool.run('removeName', (sql) => removeName(sql, doc, name)),
    authors: (doc, history, upTo) => pool.run('authors', (sql) => keptAuthors(sql, doc, history, upTo)),
    keepAuthors: (doc, history, version, state) =>
      pool.run('keepAuthors', (sql) => keepAuthors(sql, doc, history, version, state)),
    close: () => pool.close(CLOSE_MS),
  };
}
