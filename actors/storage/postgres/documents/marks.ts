// Which documents of a session are marked as changed (table `change`), so that a batch marks a document only once for each
// event and not for each edit. A mark is taken away by the node that tells the change; it raises the session's number of
// marks then, and a batch that states an older number writes nothing. So no batch ever relies on a mark that is gone.
import type { DocumentId } from '../../store.ts';

/** A document to be marked, with its version before the batch. */
export interface Mark {
  readonly doc: DocumentId;
  readonly before: number;
}

/** Documents that are remembered as marked. Past it all are forgotten, and marked again with their next batch. */
const MOST_MARKED = 100_000;

export class Marks {
  readonly #marked = new Set<DocumentId>();
  #number = 0;

  /** The session's number of marks, as this session knows it. */
  get number(): number {
    return this.#number;
  }

  /**
   * The documents that a batch has to mark. `heads` has those whose head is proved: another session may have marked them
   * since they were last here.
   */
  needed(firsts: ReadonlyMap<DocumentId, number>, heads: ReadonlyMap<DocumentId, number>): readonly Mark[] {
    const needed: Mark[] = [];
    for (const [doc, first] of firsts)
      if (heads.has(doc) || !this.#marked.has(doc)) needed.push({ doc, before: first - 1 });
    return needed;
  }

  /** A batch with these marks has committed. */
  committed(marks: readonly Mark[]): void {
    if (this.#marked.size + marks.length > MOST_MARKED) this.#marked.clear();
    for (const { doc } of marks) this.#marked.add(doc);
  }

  /** Marks were taken away since. */
  taken(number: number): void {
    this.#number = number;
    this.#marked.clear();
  }
}
