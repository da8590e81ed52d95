// The interface of a kind of document: pure, synchronous logic that server and client share. A kind owns
// how patches of its documents are checked, transformed, applied, composed and undone. It does no I/O,
// reads no clock and no randomness, and knows no versions, clients or sockets.
import type { KindName, Wire } from '../protocol/messages.ts';

export interface KindLimits {
  /**
   * Largest document, in bytes of its snapshot in JSON. The size is an estimate that never falls short by
   * more than a constant per element.
   */
  readonly documentBytes: number;
  /** Deepest nesting of a value. */
  readonly depth: number;
  /**
   * Most milliseconds that transforming and applying one patch may take, as `DocumentKind.work` estimates
   * them.
   */
  readonly workMs: number;
}

export type KindFailureCode = 'bad-op' | 'test-failed' | 'conflict' | 'too-large';
export interface KindFailure {
  readonly ok: false;
  readonly code: KindFailureCode;
  readonly message: string;
}
/**
 * The patch itself is valid, but so much has been committed since its base that its author must rebase it.
 */
export interface TooOld {
  readonly ok: false;
  readonly code: 'version-too-old';
  readonly message: string;
}

/** Only the document at the base of the patch tells whether the patch was right there, and it is not at hand. */
export interface NeedsBase {
  readonly ok: false;
  readonly code: 'needs-base';
  readonly message: string;
}

/** How far a patch applies to the document on which it was made. */
export interface Fit {
  /** The number of its first steps that apply there, each on the result of the ones before. */
  readonly steps: number;
  /** The reason for which the next step does not apply. '' if all steps apply. */
  readonly message: string;
}

/** Facts for a commit about the document at the base of the patch. */
export interface Hindsight<Undo> {
  /** The undos of the latest patches since the base, the oldest first: of all of them, or of those that are kept. */
  readonly undos: readonly Undo[];
  /** The answer of `LooksBack.fit` for the document at the base. */
  readonly fit?: Fit | undefined;
}

/** Estimated milliseconds of one thread. */
export interface Work {
  /**
   * Time for transforming the patch past the patches committed since its base. It adds up over parts of
   * that history.
   */
  readonly transformMs: number;
  /** Time for checking, applying and encoding the patch alone, on any document. */
  readonly applyMs: number;
}

export type Result<T> = { readonly ok: true; readonly value: T } | KindFailure;

/**
 * An applied patch. `op` is the patch as it was applied, complete with the facts that transforming others
 * past it needs. `undo` takes it back.
 */
export interface Applied<Op, Undo> {
  readonly op: Op;
  readonly undo: Undo;
}

/**
 * One kind of document. `State` is mutable and owned by one holder. `Op` is immutable: a patch in the
 * kind's working form. `Undo` takes back exactly the one application that returned it, if that application
 * is the latest one.
 */
export interface DocumentKind<State, Op, Undo> {
  readonly name: KindName;

  /** Returns a new document, at version 0. */
  create(): State;
  /**
   * Builds a state from a snapshot in wire form (decoded JSON, or bytes for yjs). Throws if the value is
   * not a snapshot.
   */
  load(snapshot: Wire): State;
  /** Returns the whole document in wire form. Later patches do not change the result. O(document). */
  snapshot(state: State): Wire;
  /**
   * Does the same as `load`, from the JSON text of a snapshot, with about a millisecond of work between two
   * `yield`s. A kind that loads at once leaves it out. Throws if the text is not a snapshot.
   */
  readText?(text: string): Generator<undefined, State, undefined>;
  /**
   * Does the same as `snapshot`, as JSON text, also with about a millisecond of work between two `yield`s.
   * The state must not change until the end.
   */
  writeText?(state: State): Generator<undefined, string, undefined>;
  /**
   * Returns the updates that `snapshot` would have to merge first, oldest first, if merging them takes
   * milliseconds; otherwise undefined. Any thread can merge them while the state goes on, and `adopt` takes
   * the merged update. A kind that merges nothing leaves it out.
   */
  unmerged?(
    state: State,
  ): { readonly updates: readonly Uint8Array[]; readonly adopt: (merged: Uint8Array) => void } | undefined;
  /**
   * Marks the present state, of which another thread may make a smaller form while the state goes on. `adopt` takes that form: updates
   * that have together what the state had at the mark. False if they are not smaller, or if the state has been merged since.
   * A kind without garbage leaves it out.
   */
  mark?(state: State): { readonly adopt: (smaller: readonly Uint8Array[]) => boolean };
  /** Estimated bytes of the snapshot in JSON. O(1). */
  size(state: State): number;
  /** Estimated bytes of memory that the document takes. O(1). */
  memory(state: State): number;

  /**
   * Checks the shape of a patch, without a document. Returns `bad-op` or the patch in working form. Never
   * throws.
   */
  parse(wire: unknown, limits: Pick<KindLimits, 'depth'>): Result<Op>;
  /** Returns the patch in wire form. */
  wire(op: Op): Wire;
  /**
   * True if a patch that came as `wire`, and that `parse` read as `parsed`, has committed as it came: then
   * `wire` and `this.wire(op)` differ at most in the order of members. It may be false although they are equal.
   */
  isAsSent(wire: unknown, parsed: Op, op: Op): boolean;
  /**
   * The text that the log keeps beside the wire form of a committed patch, so that later patches can be
   * transformed past it without the document (for json: which path tokens are list indices). Undefined if
   * nothing is needed.
   */
  note(op: Op): string | undefined;
  /** Reads a committed patch back from the log. Throws if the value is not a committed patch. */
  recall(wire: Wire, note: string | undefined): Op;

  /**
   * Estimates a lower bound of the cost of committing `op` past `past`, from counts alone. O(size of `op` +
   * steps of `past`). `commit` refuses a patch that costs more than `limits.workMs`, also if the document
   * causes the cost.
   */
  work(op: Op, past: readonly Op[]): Work;

  /** Transforms `op` past `past`: both were made on one version, and `past` was committed first. */
  transform(op: Op, past: Op): Op;
  /**
   * Commits `op`, made on the version before `past[0]`, on `state`, which has all of `past` applied. Only
   * the server calls it. It transforms `op` past each patch singly, and applies it whole or not at all: a
   * failure leaves `state` as it was. It returns the patch as committed (tests left out, `-` resolved,
   * final newline added). Failures: `bad-op`, the patch was wrong already at its base; `conflict`, it does
   * not apply after transformation; `test-failed`; `too-large`, also for more work than `limits.workMs`;
   * `TooOld`, if that work comes from `past`; `NeedsBase`, if `hindsight` does not tell whether the patch was
   * right. O(size of op x past), not of the document.
   */
  commit(
    state: State,
    op: Op,
    past: readonly Op[],
    limits: KindLimits,
    hindsight?: Hindsight<Undo>,
  ): Result<Applied<Op, Undo>> | TooOld | NeedsBase;

  /** Applies a patch in place, whole or not at all. A committed patch on its own version always applies. */
  apply(state: State, op: Op): Result<Applied<Op, Undo>>;
  /** Takes back the latest application. */
  revert(state: State, undo: Undo): void;
  /** Returns one patch that has the effect of `first` followed by `second`. */
  compose(first: Op, second: Op): Op;
  /**
   * Returns the patch that takes `op` back, made on the state after `op`. `before` is the state to which
   * `op` was applied.
   */
  invert(op: Op, before: State): Op;
  /** True if the patch changes nothing in any document. */
  isEmpty(op: Op): boolean;

  /** For a kind whose commits may need the document at the base of a patch. Other kinds leave it out. */
  readonly looksBack?: LooksBack<State, Op, Undo>;
  /** How peers that speak in state vectors are met. Other kinds leave it out. */
  readonly vectors?: StateVectors<State, Op>;
}

export interface LooksBack<State, Op, Undo> {
  /** The part of an undo that a later commit may need. It is valid as long as the state lives. */
  kept(undo: Undo): Undo;
  /** Estimated bytes of memory that only a kept undo holds. O(1). */
  memory(undo: Undo): number;
  /** Tells how far a patch applies to `state`, the document at its base, which stays as it is. */
  fit(state: State, op: Op): Fit;
}

/**
 * A state vector tells which patches a peer has. The cost of these calls depends on what is lacking, not on the document,
 * except as `lackOf` says.
 */
export interface StateVectors<State, Op> {
  /** The document's own state vector. The caller must not change it. */
  of(state: State): Uint8Array;
  /**
   * Tells what a peer with this vector lacks. `recent` has committed patches, the newest first, and is read as far as it
   * helps. O(deletions of the document) when one has been added. Throws if the bytes are not a state vector.
   */
  lackOf(state: State, vector: Uint8Array, recent: Iterable<Op>): Lack;
  /** Returns the part of a checked patch that the document does not have. Undefined if it has all of it. */
  newIn(state: State, op: Op): Op | undefined;
}

/** The part of a document that a peer lacks. */
export type Lack =
  /** The update has all of it. The caller must not change it. */
  | { readonly type: 'update'; readonly update: Uint8Array }
  /** A part of the document, which has to be cut out of a snapshot. */
  | { readonly type: 'part' }
  /** So much that the whole document may be sent at once, which all such peers share. */
  | { readonly type: 'most' };
