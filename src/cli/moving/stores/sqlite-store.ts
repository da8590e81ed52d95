// A table in a SQLite file, as `@hocuspocus/extension-sqlite` keeps documents. SQLite comes as WebAssembly, so
// nothing is compiled. It does not see the locks of other programs: the other server must have stopped.
import { stat } from 'node:fs/promises';
import { StartError } from '../../../../config/fatal.ts';
import { decode, type Encoding, encode } from './encoding.ts';
import { loadOptional, NameError, type StoredDocument, type Table, type YjsStore } from './yjs-store.ts';

/** Rows of one query. Only their names are in memory. */
const PAGE = 1_000;
const LONGEST_NAME = 255;

export async function openSqlite(
  file: string,
  { table, nameColumn, dataColumn }: Table,
  encoding: Encoding,
  mayCreate: boolean,
): Promise<YjsStore> {
  const { default: sqlite } = await loadOptional(() => import('node-sqlite3-wasm'), 'node-sqlite3-wasm');
  if (!mayCreate)
    await stat(file).catch((error: Error) => {
      throw new StartError(error.message, { cause: error });
    });
  const [from, name, data] = [table, nameColumn, dataColumn].map(quoted);
  const database = tell(file, () => new sqlite.Database(file, { readOnly: !mayCreate }));
  if (mayCreate)
    tell(file, () =>
      database.exec(
        `CREATE TABLE IF NOT EXISTS ${from} (${name} varchar(${LONGEST_NAME}) NOT NULL, ${data} blob NOT NULL, UNIQUE(${name}))`,
      ),
    );
  const page = (after: string | undefined): string[] => {
    const behind = after === undefined ? '' : `WHERE ${name} > ?`;
    const query = `SELECT ${name} AS found FROM ${from} ${behind} ORDER BY ${name} LIMIT ${PAGE}`;
    const rows = tell(file, () => database.all(query, after === undefined ? [] : [after]));
    return [...new Set(rows.map(({ found }) => String(found)))];
  };
  const read = async (key: string): Promise<Uint8Array | undefined> => {
    const query = `SELECT ${data} AS data FROM ${from} WHERE ${name} = ? ORDER BY rowid`;
    const rows = tell(file, () => database.all(query, [key]));
    return rows.length === 0 ? undefined : decode(rows.map(bytesOf), encoding);
  };
  return {
    async *documents(after): AsyncGenerator<StoredDocument> {
      const load = async (key: string): Promise<Uint8Array> => (await read(key)) ?? new Uint8Array();
      for (let names = page(after); names.length > 0; names = page(names.at(-1)))
        for (const key of names) yield { name: key, load: () => load(key) };
    },
    read,
    async write(key, { whole }) {
      if (key.length > LONGEST_NAME) throw new NameError(`it has more than ${LONGEST_NAME} characters`);
      const statement = `INSERT INTO ${from} (${name}, ${data}) VALUES (?, ?) ON CONFLICT(${name}) DO UPDATE SET ${data} = excluded.${data}`;
      tell(file, () => database.run(statement, [key, encode(whole, encoding)]));
    },
    close: async () => database.close(),
  };
}

const bytesOf = ({ data }: { readonly data?: unknown }): Uint8Array =>
  data instanceof Uint8Array ? data : new Uint8Array();

const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;

/** A failure of SQLite, such as a table that is not there, is one line. */
function tell<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new StartError(`${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
