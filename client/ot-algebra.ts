// What the optimistic copy of a document (ot-replica.ts) asks of a kind beyond its DocumentKind, and of
// the document that it belongs to. Shapes only.
import type { Applied, DocumentKind, Result } from '../kinds/kind.ts';
import type { Wire } from '../protocol/messages.ts';
import type { ChangeOrigin } from './api.ts';
import type { UndoAlgebra } from './undo-history.ts';

/** What a kind adds to its DocumentKind for an optimistic client. */
export interface OtAlgebra<State, Op, Undo, Patch> extends UndoAlgebra<Op> {
  readonly kind: DocumentKind<State, Op, Undo>;
  /**
   * A chain of patches, each made on the result of the one before it, as it applies after `change`, made
   * where the chain begins and committed first. `change`: the way round, where the kind can tell it.
   */
  rebase(chain: readonly Op[], change: Op): { chain: Op[]; change: Op | undefined };
  /** Whether the committed patch does what the predicted one did, on the same document. */
  same(committed: Op, predicted: Op): boolean;
  /** Applies, and tells what would take it back as a patch. */
  applyInvertibly(state: State, op: Op): Result<Applied<Op, Undo> & { readonly inverse: Op }>;
  /** The patch that leads from one snapshot to another. */
  difference(before: Wire, after: Wire): Op;
  /**
   * The patch as two smaller ones, the second made on the result of the first, for one that is too large to be
   * sent. Undefined where it cannot be divided: what must apply whole or not at all cannot.
   */
  halve(op: Op): readonly [Op, Op] | undefined;
  /** Whether the server adds nothing to a patch that leads to this state. */
  isComplete(state: State): boolean;
  /** Whether it may share a submit with other edits: an edit that may be refused on purpose may not. */
  composable(op: Op): boolean;
  /** What the application is told of a change that came in below pending edits. */
  viewChange(rebase: Rebase<Op>): Op;
  patch(op: Op): Patch;
}

export interface Rebase<Op> {
  readonly change: Op;
  /** `change` past the pending edits, where the kind can tell it. */
  readonly short: Op | undefined;
  /** What the view has gone through: pending edits taken back, `change`, pending edits put back. */
  readonly exact: () => Op;
  readonly pendingBefore: readonly Op[];
  readonly pendingAfter: readonly Op[];
}

export interface OtHooks<Op> {
  /** Bytes of a patch as it would be sent, and the most that one may have. */
  measure(op: Wire): number;
  opBytes(): number;
  pendingBytes: number;
  depth(): number;
  now(): number;
  changed(origin: ChangeOrigin, op: Op): void;
  /** A patch has become part of the confirmed document, which is at `version` now. */
  confirmed(op: Op, author: string, version: number): void;
  /** The confirmed document was loaded anew, at `version`. */
  reset(version: number): void;
}
