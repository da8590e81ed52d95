// Opens the store of a form. Each form loads its own packages.
import { StartError } from '../../../../config/fatal.ts';
import type { Encoding } from './encoding.ts';
import type { Form, Table, YjsStore } from './yjs-store.ts';

export interface StorePlace {
  readonly form: Form;
  /** A file, a folder, or the URL of a database. */
  readonly place: string;
  readonly table: Table;
  readonly encoding: Encoding;
}

/** `mayCreate`: a store that is not there is made. Otherwise it must be there. */
export async function openStore(
  { form, place, table, encoding }: StorePlace,
  mayCreate: boolean,
): Promise<YjsStore> {
  switch (form) {
    case 'hocuspocus-sqlite': {
      const { openSqlite } = await import('./sqlite-store.ts');
      return await openSqlite(place, table, encoding, mayCreate);
    }
    case 'hocuspocus-postgres': {
      const { openPostgres } = await import('./postgres-store.ts');
      return await openPostgres(place, table, encoding, mayCreate);
    }
    case 'y-leveldb': {
      if (encoding !== 'v1') throw new StartError('y-leveldb has its updates in v1 encoding alone');
      const { openLevel } = await import('./level-store.ts');
      return await openLevel(place, mayCreate);
    }
    case 'bin': {
      const { openFiles } = await import('./file-store.ts');
      return await openFiles(place, encoding, mayCreate);
    }
  }
}
