// A table in PostgreSQL, as servers with `@hocuspocus/extension-database` keep documents: a column with the name
// and a `bytea` column with the state, or with a part of it: the rows of a name are one document.
import postgres from 'postgres';
import { StartError } from '../../../../config/fatal.ts';
import { decode, type Encoding, encode } from './encoding.ts';
import type { StoredDocument, Table, YjsStore } from './yjs-store.ts';

/** Names of one query. Only they are in memory. */
const PAGE = 1_000;

export async function openPostgres(
  url: string,
  { table, nameColumn, dataColumn }: Table,
  encoding: Encoding,
  mayCreate: boolean,
): Promise<YjsStore> {
  const sql = postgres(url, {
    max: 4,
    connect_timeout: 10,
    onnotice: () => undefined,
    connection: { application_name: 'troupe-command' },
  });
  // `schema.table` is a table of another schema than that of the connection.
  const [from, name, data] = [sql(table), sql(nameColumn), sql(dataColumn)];
  // In the order of the column itself, so that its index serves.
  const page = async (after: string | undefined): Promise<readonly string[]> => {
    const behind = after === undefined ? sql`` : sql`AND ${name} > ${after}`;
    const rows = await tell(
      sql<{ found: string }[]>`
        SELECT ${name}::text AS found FROM ${from}
        WHERE ${name} IS NOT NULL ${behind} ORDER BY ${name} LIMIT ${PAGE}`,
    );
    return [...new Set(rows.map(({ found }) => found))];
  };
  const read = async (key: string): Promise<Uint8Array | undefined> => {
    const rows = await tell(
      sql<{ data: unknown }[]>`SELECT ${data} AS data FROM ${from} WHERE ${name} = ${key}`,
    );
    const parts = rows.map((row) => (row.data instanceof Uint8Array ? row.data : new Uint8Array()));
    return parts.length === 0 ? undefined : decode(parts, encoding);
  };
  try {
    if (mayCreate)
      await tell(
        sql`CREATE TABLE IF NOT EXISTS ${from} (${name} varchar(255) PRIMARY KEY, ${data} bytea NOT NULL)`,
      );
  } catch (error) {
    await sql.end();
    throw error;
  }
  return {
    async *documents(after): AsyncGenerator<StoredDocument> {
      const load = async (key: string): Promise<Uint8Array> => (await read(key)) ?? new Uint8Array();
      for (let names = await page(after); names.length > 0; names = await page(names.at(-1)))
        for (const key of names) yield { name: key, load: () => load(key) };
    },
    read,
    /** The table may have further columns, but they need defaults. */
    async write(key, { whole }) {
      const bytes = Buffer.from(encode(whole, encoding));
      await tell(sql`
        INSERT INTO ${from} (${name}, ${data}) VALUES (${key}, ${bytes})
        ON CONFLICT (${name}) DO UPDATE SET ${data} = excluded.${data}`);
    },
    close: () => sql.end(),
  };
}

/** A refusal of PostgreSQL, such as a table that is not there, becomes one line. Failed connections are told elsewhere. */
async function tell<T>(query: Promise<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    if (!(error instanceof postgres.PostgresError)) throw error;
    throw new StartError(`the database answers: ${error.message}`, { cause: error });
  }
}
