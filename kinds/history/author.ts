// The author of a part of a document. Shapes only.

/** One object stands for one patch, so two parts of one patch have the same object. */
export interface Author {
  readonly user: string;
  /** Milliseconds since 1970 at which the patch was committed. */
  readonly at: number;
  readonly version: number;
}

/** Undefined where nobody is known: the patch was folded away, or the part is the new document itself. */
export type AuthorOrNone = Author | undefined;
