// A folder of y-leveldb, as y-websocket's server keeps documents with YPERSISTENCE. The format is that of the
// package itself. LevelDB locks its folder, so the other server must have stopped.
//
// Reading goes past `LeveldbPersistence`: its `getYDoc` also writes, and its calls answer null where LevelDB fails.
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseOptions } from 'level';
import { mergeUpdates } from 'yjs';
import { StartError } from '../../../../config/fatal.ts';
import { loadOptional, type StoredDocument, type YjsStore } from './yjs-store.ts';

/** `level` is the one that y-leveldb brings. */
const PACKAGES = 'y-leveldb level@8';

type Key = readonly (string | number)[];

export async function openLevel(folder: string, mayCreate: boolean): Promise<YjsStore> {
  const [{ getAllDocsKeys, getLevelUpdates, LeveldbPersistence }, { Level }] = await loadOptional(
    () => Promise.all([import('y-leveldb'), import('level')]),
    PACKAGES,
  );
  // LevelDB makes a folder before it finds out that it has no database there.
  if (!mayCreate)
    await access(join(folder, 'CURRENT')).catch(() => {
      throw new StartError(`${folder} is no folder of y-leveldb`);
    });
  const opened: Opened[] = [];
  class Opened extends Level<Key, Uint8Array> {
    constructor(location: string, options: DatabaseOptions<Key, Uint8Array>) {
      super(location, options);
      opened.push(this);
    }
  }
  const persistence = new LeveldbPersistence(folder, { Level: Opened });
  const [database] = opened;
  if (database === undefined) throw new Error('y-leveldb has opened nothing');
  await database.open().catch((error: Error) => {
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    throw new StartError(`${folder} cannot be opened: ${reason}`, { cause: error });
  });
  const read = async (name: string): Promise<Uint8Array | undefined> => {
    const updates = await getLevelUpdates(database, name);
    return updates.length === 0 ? undefined : mergeUpdates(updates);
  };
  return {
    async *documents(after): AsyncGenerator<StoredDocument> {
      const keys = await getAllDocsKeys(database);
      const names = keys.map((key) => String(key[1])).filter((name) => after === undefined || name > after);
      const load = async (name: string): Promise<Uint8Array> => (await read(name)) ?? Uint8Array.of(0, 0);
      for (const name of names.sort()) yield { name, load: () => load(name) };
    },
    read,
    async write(name, { added }) {
      const clock = await persistence.storeUpdate(name, added);
      if (clock === null) throw new StartError(`${folder} cannot be written`);
    },
    close: () => database.close(),
  };
}
