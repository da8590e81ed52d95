// Tells errors that concern the stored bytes of one document from errors of the store. Only the first kind
// counts as a failure of the document.
import { StoreUnavailable } from '../storage/store.ts';

/** A part of a document that cannot be read. */
export class DamagedPart extends Error {
  override name = 'DamagedPart';
  /** Such as "the patch of version 7". */
  readonly part: string;

  constructor(part: string, cause: unknown) {
    super(`${part} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.part = part;
  }
}

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** The class in which PostgreSQL reports damaged pages and indexes. */
const INTERNAL = 'XX';

/**
 * The part of the document that is damaged, as far as it is known. Undefined if the error says nothing about
 * one document: PostgreSQL is out of reach, or refuses the statement.
 */
export function damagedPart(error: unknown): string | undefined {
  if (error instanceof StoreUnavailable) return undefined;
  if (error instanceof DamagedPart) return error.part;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return SQLSTATE.test(code) && !code.startsWith(INTERNAL) ? undefined : 'the stored rows';
}
