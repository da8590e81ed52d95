// The part of y-leveldb that is used here. The package has types, but its `exports` do not lead to them.
declare module 'y-leveldb' {
  import type { DatabaseOptions, Level } from 'level';
  import type { Doc } from 'yjs';

  type Key = readonly (string | number)[];
  type Database = Level<Key, Uint8Array>;

  export class LeveldbPersistence {
    constructor(
      location: string,
      options?: { Level?: new (location: string, options: DatabaseOptions<Key, Uint8Array>) => Database },
    );
    getYDoc(name: string): Promise<Doc>;
    /** Null after a failure, which is only logged. */
    storeUpdate(name: string, update: Uint8Array): Promise<number | null>;
    destroy(): Promise<void>;
  }

  export function getAllDocsKeys(database: Database): Promise<Key[]>;
  export function getLevelUpdates(database: Database, name: string): Promise<Uint8Array[]>;
  export const keyEncoding: NonNullable<DatabaseOptions<Key, Uint8Array>['keyEncoding']>;
}
