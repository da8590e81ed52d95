// Looks an old seq up in a document's log: the rare seq that is neither among a client's latest pairs nor
// above them. Owns how such searches share the store: a worker reads one page of one document's log at a
// time, in turns. Other reads find a free connection, even if many clients send old seqs. A search never
// answers without proof.
//
// The seqs of a client rise along versions. So a search reads backwards from the lowest version known to be
// above the seq, and ends at the seq, at a lower one, or at the beginning of the kept log. It remembers
// pairs from its pages as marks, so the client's next search starts at its page.
import { type DocumentId, type SeqPage, StoreUnavailable } from '../storage/store.ts';

export type ReadSeqPage = (doc: DocumentId, client: string, upTo: number) => Promise<SeqPage>;

/**
 * Most searches that wait. A search beyond that gets the answer that the store is out of reach, which is
 * retryable.
 */
export const MAX_SEARCHES = 1_000;
/** Clients whose marks are kept (the least recently searched is dropped first), and marks of each. */
const KNOWN_CLIENTS = 256;
const MARKS = 256;

/** A pair of the client. The client has no pair in the versions [clear, version). */
interface Mark {
  readonly seq: number;
  readonly version: number;
  clear: number;
}

interface Search {
  readonly doc: DocumentId;
  readonly client: string;
  readonly seq: number;
  /** A mark above all pairs of the client. */
  readonly top: Mark;
  readonly found: (version: number | undefined) => void;
  readonly failed: (error: unknown) => void;
}

export class SeqSearches {
  readonly #readPage: ReadSeqPage;
  readonly #queue: Search[] = [];
  /** Marks by document and client, ascending. */
  readonly #known = new Map<string, Mark[]>();
  #reading = false;

  constructor(readPage: ReadSeqPage) {
    this.#readPage = readPage;
  }

  /** Returns the version as which (client, seq) committed. Undefined if the kept log does not have it. */
  find(doc: DocumentId, client: string, seq: number): Promise<number | undefined> {
    if (this.#queue.length >= MAX_SEARCHES)
      return Promise.reject(new StoreUnavailable('too many searches for old seqs wait'));
    return new Promise((found, failed) => {
      const top: Mark = {
        seq: Number.POSITIVE_INFINITY,
        version: Number.MAX_SAFE_INTEGER,
        clear: Number.MAX_SAFE_INTEGER,
      };
      this.#queue.push({ doc, client, seq, top, found, failed });
      if (!this.#reading) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#reading = true;
    for (let search = this.#queue.shift(); search !== undefined; search = this.#queue.shift()) {
      try {
        if (!(await this.#step(search))) this.#queue.push(search);
      } catch (error) {
        search.failed(error);
      }
    }
    this.#reading = false;
  }

  /** Reads one page at most. True if the search has ended. */
  async #step(search: Search): Promise<boolean> {
    const { doc, client, seq, top, found } = search;
    const marks = this.#marksOf(doc, client);
    const at = marks.findIndex((mark) => mark.seq >= seq);
    const above = (at < 0 ? undefined : marks[at]) ?? top;
    const below = at < 0 ? marks.at(-1) : marks[at - 1];
    if (above.seq === seq) {
      found(above.version);
      return true;
    }
    const upTo = above.clear - 1;
    if (upTo < 1 || upTo === below?.version) {
      found(undefined);
      return true;
    }
    const { from, pairs } = await this.#readPage(doc, client, upTo);
    const [newest] = pairs;
    const oldest = pairs.at(-1);
    above.clear = newest === undefined ? from : newest[1] + 1;
    if (newest === undefined || oldest === undefined) return false;
    if (oldest !== newest) remember(marks, { seq: oldest[0], version: oldest[1], clear: from });
    const clear = oldest === newest ? from : newest[1];
    remember(marks, { seq: newest[0], version: newest[1], clear });
    const pair = pairs.find(([each]) => each <= seq);
    if (pair === undefined) return false;
    found(pair[0] === seq ? pair[1] : undefined);
    return true;
  }

  #marksOf(doc: DocumentId, client: string): Mark[] {
    const key = `${doc} ${client}`;
    const marks = this.#known.get(key) ?? [];
    this.#known.delete(key);
    this.#known.set(key, marks);
    const [eldest] = this.#known.keys();
    if (this.#known.size > KNOWN_CLIENTS && eldest !== undefined) this.#known.delete(eldest);
    return marks;
  }
}

/**
 * Adds a mark. If there are too many, every second one is dropped, and a later search there reads one page
 * more.
 */
function remember(marks: Mark[], mark: Mark): void {
  const at = marks.findIndex(({ version }) => version >= mark.version);
  const there = at < 0 ? undefined : marks[at];
  if (there?.version === mark.version) {
    there.clear = Math.min(there.clear, mark.clear);
    return;
  }
  marks.splice(at < 0 ? marks.length : at, 0, mark);
  if (marks.length > MARKS) marks.splice(0, marks.length, ...marks.filter((_, i) => i % 2 === 0));
}
