// The port to the stores of other Yjs servers: documents by name, each with its whole state. A store knows nothing
// of Troupe and its names.
import { StartError } from '../../../../config/fatal.ts';

/** The forms in which `troupe import` and `troupe export` find and leave documents. */
export const FORMS = ['hocuspocus-sqlite', 'hocuspocus-postgres', 'y-leveldb', 'bin'] as const;
export type Form = (typeof FORMS)[number];

/** The table of the Hocuspocus forms. The defaults are those of `@hocuspocus/extension-sqlite`. */
export interface Table {
  readonly table: string;
  readonly nameColumn: string;
  readonly dataColumn: string;
}

export const USUAL_TABLE: Table = { table: 'documents', nameColumn: 'name', dataColumn: 'data' };

export interface StoredDocument {
  readonly name: string;
  /** The whole document as one Yjs update in v1 encoding. It is not checked; bytes that are none have not become one. */
  load(): Promise<Uint8Array>;
}

/** The whole of a document after a change, and the part that the change has added. Both are Yjs updates. */
export interface Grown {
  readonly whole: Uint8Array;
  readonly added: Uint8Array;
}

export interface YjsStore {
  /**
   * All documents, or those behind the name `after`, in an order that stays the same. Only the documents that the
   * caller loads at the same time are in memory.
   */
  documents(after: string | undefined): AsyncIterable<StoredDocument>;
  /** Undefined if there is no document of this name. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Durable when it resolves. Throws a NameError if the store cannot have this name. */
  write(name: string, document: Grown): Promise<void>;
  close(): Promise<void>;
}

/** A name that a store cannot have. `message` says why. */
export class NameError extends Error {}

/**
 * Loads a package that only some commands need. A package that is not installed is one line that says how to
 * install it.
 */
export async function loadOptional<T>(load: () => Promise<T>, packages: string): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    throw new StartError(`this form needs what is not installed here: npm install ${packages}`, {
      cause: error,
    });
  }
}
