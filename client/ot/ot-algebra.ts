// The operations that the optimistic copy of a document (ot-replica.ts) needs from a kind beyond its
// DocumentKind, and from its document. Shapes only.
import type { Applied, DocumentKind, Result } from '../../kinds/kind.ts';
import type { Wire } from '../../protocol/messages.ts';
import type { ChangeOrigin } from '../api.ts';
import type { UndoAlgebra } from './undo-history.ts';

/** The additions of a kind to its DocumentKind for an optimistic client. */
export interface OtAlgebra<State, Op, Undo, Patch> extends UndoAlgebra<Op> {
  readonly kind: DocumentKind<State, Op, Undo>;
  /**
   * Transforms a chain of patches, each made on the result of the one before it, past `change`, which was
   * made at the start of the chain and committed first. The result's `change` is the change past the chain,
   * if the kind can compute it.
   */
  rebase(chain: readonly Op[], change: Op): { chain: Op[]; change: Op | undefined };
  /** Whether the committed patch has the same effect as the predicted one, on the same document. */
  same(committed: Op, predicted: Op): boolean;
  /** Applies the patch and returns the patch that takes it back. */
  applyInvertibly(state: State, op: Op): Result<Applied<Op, Undo> & { readonly inverse: Op }>;
  /** The patch that leads from one snapshot to another. */
  difference(before: Wire, after: Wire): Op;
  /**
   * The patch as two smaller ones, the second made on the result of the first, for a patch that is too large
   * to be sent. Undefined if it cannot be divided, because it must apply whole or not at all.
   */
  halve(op: Op): readonly [Op, Op] | undefined;
  /** Whether the server adds no step to a patch that leads to this state. */
  isComplete(state: State): boolean;
  /**
   * Whether the patch may share a submit with other edits. A patch that may be refused on purpose may not.
   */
  composable(op: Op): boolean;
  /** The change of the view that the application is told when a change came in below pending edits. */
  viewChange(rebase: Rebase<Op>): Op;
  patch(op: Op): Patch;
}

export interface Rebase<Op> {
  readonly change: Op;
  /** `change` past the pending edits, if the kind can compute it. */
  readonly short: Op | undefined;
  /** All changes of the view in order: pending edits taken back, `change`, pending edits put back. */
  readonly exact: () => Op;
  readonly pendingBefore: readonly Op[];
  readonly pendingAfter: readonly Op[];
}

export interface OtHooks<Op> {
  /** Bytes of a patch as it would be sent, and the largest size allowed. */
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
