// Finds out who wrote a long document before somebody asks, so that the first answer need not fold its whole log. It
// looks at a document when the compute pool has written a snapshot of it, and works on one document at a time. A document that
// it passes over is looked at again with the next such snapshot: for a small document, whose snapshots the worker writes, that is
// some 50,000 patches later.
import { LRUCache } from 'lru-cache';
import type { DocumentId } from '../../actors/storage/store.ts';
import type { KindName } from '../../protocol/messages.ts';
import type { Past } from './past.ts';

export interface WrittenSnapshot {
  readonly doc: DocumentId;
  readonly kind: KindName;
  readonly version: number;
}

export interface AuthorsAheadOptions {
  readonly past: Pick<Past, 'keepAuthors'>;
  /** A document is worth the work when its log is so many patches longer than what is kept. */
  readonly least?: number;
  readonly onProblem: (error: unknown, doc: DocumentId) => void;
}

/** Folding so many takes about a second. Most documents never have them. */
const LEAST = 250_000;
/** Documents whose kept version is remembered. It is read again for others. */
const REMEMBERED = 10_000;

export class AuthorsAhead {
  readonly #options: AuthorsAheadOptions;
  readonly #least: number;
  /** The version up to which the authors of a document are kept. */
  readonly #kept = new LRUCache<DocumentId, number>({ max: REMEMBERED });
  readonly #end = new AbortController();
  #work: Promise<void> | undefined;

  constructor(options: AuthorsAheadOptions) {
    this.#options = options;
    this.#least = options.least ?? LEAST;
  }

  /** A snapshot of the compute pool is in the store. */
  snapshotWritten({ doc, kind, version }: WrittenSnapshot): void {
    if (kind === 'yjs' || this.#work !== undefined || this.#end.signal.aborted) return;
    if (version - (this.#kept.get(doc) ?? 0) < this.#least) return;
    this.#work = this.#keep(doc, version).finally(() => {
      this.#work = undefined;
    });
  }

  /** Resolves when no work is under way. */
  async idle(): Promise<void> {
    await this.#work;
  }

  /** Gives up the work under way. Its questions to the store end with the store. */
  end(): void {
    this.#end.abort(new Error('the node stops'));
  }

  async #keep(doc: DocumentId, version: number): Promise<void> {
    const { past, onProblem } = this.#options;
    // Work that failed is done again when the log has grown by as much once more, and not with each snapshot.
    let kept = version;
    try {
      const outcome = await past.keepAuthors(doc, this.#least, this.#end.signal);
      if (outcome?.ok) kept = outcome.value;
      else if (outcome !== undefined) onProblem(outcome.message, doc);
    } catch (error) {
      if (!this.#end.signal.aborted) onProblem(error, doc);
    }
    this.#kept.set(doc, kept);
  }
}
