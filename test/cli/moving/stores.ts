// Stores of other Yjs servers for tests, written and read by the packages of those servers themselves.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Database } from '@hocuspocus/extension-database';
import { Hocuspocus } from '@hocuspocus/server';
import sqlite from 'node-sqlite3-wasm';
import postgres from 'postgres';
import { LeveldbPersistence } from 'y-leveldb';
import * as Y from 'yjs';
import { run } from '../../../src/cli/cli.ts';
import { freshDatabase } from '../../support/postgres.ts';

export async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-moving-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs `troupe` in this process. */
export async function troupe(args: readonly string[], env: Record<string, string> = {}) {
  let out = '';
  let err = '';
  const code = await run(args, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env,
  });
  return { code, out, err };
}

export function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText('t').insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}

export function textOf(update: Uint8Array): string {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return doc.getText('t').toString();
}

/** A server of another project: edits and reads its documents in its own way, and keeps them where `place` says. */
export interface OtherServer {
  readonly form: string;
  readonly place: string;
  type(name: string, text: string): Promise<void>;
  read(name: string): Promise<string>;
}

/** Hocuspocus with a store: the document is loaded, edited and stored by the server itself. */
function hocuspocusOn(
  form: string,
  place: string,
  fetch: (name: string) => Promise<Uint8Array | null>,
  store: (name: string, state: Uint8Array) => Promise<unknown>,
): OtherServer {
  const open = async (name: string, text: string): Promise<string> => {
    const server = new Hocuspocus({
      quiet: true,
      extensions: [
        new Database({
          fetch: ({ documentName }) => fetch(documentName),
          store: async ({ documentName, state }) => {
            await store(documentName, state);
          },
        }),
      ],
    });
    const connection = await server.openDirectConnection(name);
    let whole = '';
    await connection.transact((doc) => {
      const shared = doc.getText('t');
      shared.insert(shared.length, text);
      whole = shared.toString();
    });
    await connection.disconnect();
    return whole;
  };
  return {
    form,
    place,
    type: async (name, text) => {
      await open(name, text);
    },
    read: (name) => open(name, ''),
  };
}

export async function hocuspocusOnPostgres(t: TestContext): Promise<OtherServer> {
  const url = await freshDatabase(t);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  t.after(() => sql.end());
  await sql`CREATE TABLE IF NOT EXISTS documents (name varchar(255) PRIMARY KEY, data bytea NOT NULL)`;
  return hocuspocusOn(
    'hocuspocus-postgres',
    url,
    async (name) => {
      const [row] = await sql<{ data: Buffer }[]>`SELECT data FROM documents WHERE name = ${name}`;
      return row?.data ?? null;
    },
    (name, state) => sql`
      INSERT INTO documents (name, data) VALUES (${name}, ${Buffer.from(state)})
      ON CONFLICT (name) DO UPDATE SET data = EXCLUDED.data`,
  );
}

/**
 * The statements are those of `@hocuspocus/extension-sqlite`. The extension itself needs a package that is compiled
 * when it is installed.
 */
export async function hocuspocusOnSqlite(t: TestContext): Promise<OtherServer> {
  const file = join(await newFolder(t), 'db.sqlite');
  const withDatabase = <T>(work: (database: InstanceType<typeof sqlite.Database>) => T): T => {
    const database = new sqlite.Database(file);
    try {
      database.exec(`CREATE TABLE IF NOT EXISTS "documents" (
        "name" varchar(255) NOT NULL,
        "data" blob NOT NULL,
        UNIQUE(name)
      )`);
      return work(database);
    } finally {
      database.close();
    }
  };
  return hocuspocusOn(
    'hocuspocus-sqlite',
    file,
    async (name) => {
      const query = 'SELECT data FROM "documents" WHERE name = $name ORDER BY rowid DESC';
      const data = withDatabase((database) => database.get(query, { $name: name }))?.data;
      return data instanceof Uint8Array ? data : null;
    },
    async (name, state) => {
      const statement = `INSERT INTO "documents" ("name", "data") VALUES ($name, $data)
        ON CONFLICT(name) DO UPDATE SET data = $data`;
      withDatabase((database) => database.run(statement, { $name: name, $data: state }));
    },
  );
}

/** y-websocket's server keeps documents so, one update after the other. */
export async function leveldb(t: TestContext): Promise<OtherServer> {
  const folder = join(await newFolder(t), 'level');
  const open = async <T>(work: (persistence: LeveldbPersistence) => Promise<T>): Promise<T> => {
    const persistence = new LeveldbPersistence(folder);
    try {
      return await work(persistence);
    } finally {
      await persistence.destroy();
    }
  };
  return {
    form: 'y-leveldb',
    place: folder,
    type: (name, text) =>
      open(async (persistence) => {
        const doc = await persistence.getYDoc(name);
        const updates: Uint8Array[] = [];
        doc.on('update', (update: Uint8Array) => updates.push(update));
        for (const letter of text) doc.getText('t').insert(doc.getText('t').length, letter);
        for (const update of updates) await persistence.storeUpdate(name, update);
      }),
    read: (name) => open(async (persistence) => (await persistence.getYDoc(name)).getText('t').toString()),
  };
}

/** The form `bin`, by hand. */
export async function files(t: TestContext): Promise<OtherServer> {
  const folder = await newFolder(t);
  const { mkdirSync, writeFileSync, existsSync } = await import('node:fs');
  const fileOf = (name: string): string => join(folder, `${name}.bin`);
  return {
    form: 'bin',
    place: folder,
    type: async (name, text) => {
      const doc = new Y.Doc();
      if (existsSync(fileOf(name))) Y.applyUpdate(doc, readFileSync(fileOf(name)));
      doc.getText('t').insert(doc.getText('t').length, text);
      mkdirSync(join(fileOf(name), '..'), { recursive: true });
      writeFileSync(fileOf(name), Y.encodeStateAsUpdate(doc));
    },
    read: async (name) => textOf(readFileSync(fileOf(name))),
  };
}
