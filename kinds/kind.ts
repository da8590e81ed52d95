// What a kind of document is: pure, synchronous logic that server and client share. A kind owns
// how patches of its documents are checked, meet, apply, compose and undo. It never does I/O,
// never looks at clocks or randomness, and never knows versions, clients or sockets.
import type { KindName, Wire } from '../protocol/messages.ts';

export interface KindLimits {
  /** Largest document, bytes of its snapshot in JSON (an estimate that never falls short by more than a constant per element). */
  readonly documentBytes: number;
  /** Deepest nesting of a value. */
  readonly depth: number;
  /** Most milliseconds that transforming and applying one patch may take, as estimated by `DocumentKind.work`. */
  readonly workMs: number;
}

export type KindFailureCode = 'bad-op' | 'test-failed' | 'conflict' | 'too-large';
export interface KindFailure {
  readonly ok: false;
  readonly code: KindFailureCode;
  readonly message: string;
}
/** Nothing is wrong with the patch, but so much has been committed since its base that its author must rebase it. */
export interface TooOld {
  readonly ok: false;
  readonly code: 'version-too-old';
  readonly message: string;
}

/** Estimated milliseconds of one thread. */
export interface Work {
  /** For transforming the patch past what was committed since its base. Adds up over parts of that history. */
  readonly transformMs: number;
  /** For checking, applying and encoding the patch alone, on any document. */
  readonly applyMs: number;
}

export type Result<T> = { readonly ok: true; readonly value: T } | KindFailure;

/** An applied patch: as it was applied (complete, with what transforming others past it needs), and how to take it back. */
export interface Applied<Op, Undo> {
  readonly op: Op;
  readonly undo: Undo;
}

/**
 * One kind of document.
 * `State` is mutable and owned by one holder. `Op` is immutable: a patch in the kind's working form.
 * `Undo` takes back exactly the one application that returned it, if it is the latest one.
 */
export interface DocumentKind<State, Op, Undo> {
  readonly name: KindName;

  /** A new document, version 0. */
  create(): State;
  /** State from a snapshot in wire form (decoded JSON, or bytes for yjs). Throws where it is not one. */
  load(snapshot: Wire): State;
  /** The whole document in wire form. The result is not changed by later patches. O(document). */
  snapshot(state: State): Wire;
  /**
   * `load`, from the JSON text of a snapshot, about a millisecond's work from one `yield` to the next. Left out where the
   * kind loads at once. Throws where the text is no snapshot.
   */
  readText?(text: string): Generator<undefined, State, undefined>;
  /** `snapshot`, as JSON text, likewise. The state must stay as it is until the end. */
  writeText?(state: State): Generator<undefined, string, undefined>;
  /**
   * The updates that `snapshot` would have to merge first, oldest first, where that is the work of milliseconds; else
   * undefined. They can be merged by any thread while the state goes on, and `adopt` takes what came of it. Left out by
   * kinds that merge nothing.
   */
  unmerged?(
    state: State,
  ): { readonly updates: readonly Uint8Array[]; readonly adopt: (merged: Uint8Array) => void } | undefined;
  /** Estimated bytes of the snapshot in JSON. O(1). */
  size(state: State): number;
  /** Estimated bytes of memory that the document takes. O(1). */
  memory(state: State): number;

  /** Checks a patch's shape alone, knowing no document. `bad-op` or the patch in working form. Never throws. */
  parse(wire: unknown, limits: Pick<KindLimits, 'depth'>): Result<Op>;
  /** The patch in wire form. */
  wire(op: Op): Wire;
  /**
   * What the log keeps beside the wire form of a committed patch so that later patches can be
   * transformed past it without the document (for json: which path tokens are list indices);
   * undefined where nothing is needed.
   */
  note(op: Op): string | undefined;
  /** A committed patch read back from the log. Throws where it is not one. */
  recall(wire: Wire, note: string | undefined): Op;

  /**
   * What committing `op` past `past` would cost at least, from counts alone. O(size of `op` + steps of
   * `past`). `commit` refuses what costs more than `limits.workMs`, also where the document makes it so.
   */
  work(op: Op, past: readonly Op[]): Work;

  /** `op` and `past` made on one version, `past` committed first: `op` as it applies after `past`. */
  transform(op: Op, past: Op): Op;
  /**
   * Server: `op` made on the version before `past[0]`, to be committed on `state`, which has all of
   * `past` applied. Transforms past each singly, applies whole or not at all (a failure leaves
   * `state` as it was). Returns the patch as committed (tests left out, `-` resolved, final newline
   * added). `bad-op`: wrong already at base; `conflict`: does not apply after transformation;
   * `test-failed`; `too-large`, also for more work than `limits.workMs`; or `TooOld`, where that is because
   * of `past`. O(size of op x past), not of the document.
   */
  commit(state: State, op: Op, past: readonly Op[], limits: KindLimits): Result<Applied<Op, Undo>> | TooOld;

  /** Applies a patch in place, whole or not at all. A committed patch on its own version always applies. */
  apply(state: State, op: Op): Result<Applied<Op, Undo>>;
  /** Takes back the latest application. */
  revert(state: State, undo: Undo): void;
  /** One patch that does what `first` and then `second` do. */
  compose(first: Op, second: Op): Op;
  /** The patch that takes `op` back, made on the state after it; `before` is the state it was applied to. */
  invert(op: Op, before: State): Op;
  /** True where the patch changes nothing in any document. */
  isEmpty(op: Op): boolean;
}
