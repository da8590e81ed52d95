// The past of documents in PostgreSQL: the statements of postgres/past on a pool of their own. It never writes to
// the log. Reads go to replicas where there are any that have caught up (connection/reads.ts); which document has the
// name, and what is written, is the primary's.
import type { PastDocument, PastStore } from './past-store.ts';
import type { PostgresStoreOptions } from './postgres/connection/connect.ts';
import { Pool } from './postgres/connection/pool.ts';
import { Reads } from './postgres/connection/reads.ts';
import { Servers } from './postgres/connection/servers.ts';
import {
  authorsVersion,
  type DocumentKey,
  keepAuthors,
  keptAuthors,
  pastDocument,
  snapshotAt,
} from './postgres/past/documents.ts';
import { nameOf, names, putName, removeName } from './postgres/past/names.ts';
import { patches, versionAt } from './postgres/past/patches.ts';

/** PostgreSQL knows the connections by this name. */
const NAME = 'troupe:past';
const CLOSE_MS = 1_000;

/** Opens nothing yet: the first call connects. */
export function createPastStore(options: PostgresStoreOptions, connections: number): PastStore {
  const servers = new Servers(options.url, options.lowestTimeline);
  const pool = new Pool(options, servers, NAME, connections);
  const reads = new Reads(options, pool, NAME, connections);
  const document = async (key: DocumentKey): Promise<PastDocument | undefined> => {
    const found = await pool.run('document', (sql) => pastDocument(sql, key));
    // The position is read last, so it covers what the document's row has shown.
    return found && { ...found, seen: await reads.position() };
  };
  return {
    refuseBelow: (timeline) => {
      servers.refuseBelow(timeline);
      pool.recheck();
    },
    document: (org, name) => document({ org, name }),
    documentOf: (id) => document({ id }),
    patches: ({ id, seen }, after, upTo, bounds) =>
      reads.run('patches', seen, (sql) => patches(sql, id, after, upTo, bounds)),
    versionAt: (document, at) => reads.run('versionAt', document.seen, (sql) => versionAt(sql, document, at)),
    snapshot: ({ id, seen }, upTo) => reads.run('snapshot', seen, (sql) => snapshotAt(sql, id, upTo)),
    names: ({ id, seen }, after, limit) => reads.run('names', seen, (sql) => names(sql, id, after, limit)),
    name: ({ id, seen }, name) => reads.run('name', seen, (sql) => nameOf(sql, id, name)),
    putName: (doc, named, state, most) => pool.run('putName', (sql) => putName(sql, doc, named, state, most)),
    removeName: (doc, name) => pool.run('removeName', (sql) => removeName(sql, doc, name)),
    authors: ({ id, seen }, history, upTo) =>
      reads.run('authors', seen, (sql) => keptAuthors(sql, id, history, upTo)),
    authorsVersion: (doc, history) => pool.run('authorsVersion', (sql) => authorsVersion(sql, doc, history)),
    keepAuthors: (doc, history, version, state) =>
      pool.run('keepAuthors', (sql) => keepAuthors(sql, doc, history, version, state)),
    close: async () => {
      await Promise.all([pool.close(CLOSE_MS), reads.close(CLOSE_MS)]);
    },
  };
}
