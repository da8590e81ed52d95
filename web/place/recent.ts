// The documents that this browser has opened, newest first, so that a person who has lost an address finds
// the document again. Kept in the browser's storage only; stored data is never trusted to have a shape.
import { parseDocumentName } from '../../protocol/names.ts';
import { firstCharacters } from '../graphemes.ts';

export interface RecentDocument {
  /** `org/doc`. */
  readonly doc: string;
  /** The title in its content when it was last open here; empty if it had none. */
  readonly title: string;
}

/** Documents that are remembered; an older one is forgotten. */
export const MOST_RECENT = 20;
const TITLE_LENGTH = 120;
const STORED = 'troupe.recent';

export function readRecent(storage: Storage | undefined): RecentDocument[] {
  try {
    const value: unknown = JSON.parse(storage?.getItem(STORED) ?? '[]');
    return Array.isArray(value) ? value.flatMap(recentDocument).slice(0, MOST_RECENT) : [];
  } catch {
    return []; // The key holds another program's data, or the storage may not be read.
  }
}

/** Puts a document at the top of the list. Other windows of this browser write the same list. */
export function noteRecent(storage: Storage | undefined, document: RecentDocument): void {
  const others = readRecent(storage).filter(({ doc }) => doc !== document.doc);
  const title = firstCharacters(document.title, TITLE_LENGTH);
  try {
    storage?.setItem(STORED, JSON.stringify([{ ...document, title }, ...others].slice(0, MOST_RECENT)));
  } catch {
    // With a full or forbidden storage only the list is lost.
  }
}

function recentDocument(value: unknown): RecentDocument[] {
  if (typeof value !== 'object' || value === null || !('doc' in value)) return [];
  const { doc } = value;
  if (typeof doc !== 'string' || parseDocumentName(doc) === undefined) return [];
  return [{ doc, title: 'title' in value && typeof value.title === 'string' ? value.title : '' }];
}
