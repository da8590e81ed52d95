// The local copy of a document whose patches are transformed (`rich-text`, `json`): the confirmed document
// with the pending edits applied on top, in one state that is the view. Owns rebasing the pending edits,
// their composition and bounds, and undo; never looks at seqs, sockets or clocks.
//
// Invariant between calls: state = confirmed ∘ pending[0] ∘ … ∘ pending[n-1]; only pending[0] may be in
// flight. A change from elsewhere reverts the pending edits, lands below them, and puts them back rebased, so
// that convergence depends on applying commits in order and not on the transforms.

import type { Applied, DocumentKind } from '../../kinds/kind.ts';
import type { Wire } from '../../protocol/messages.ts';
import type { ChangeOrigin } from '../api.ts';
import { LASTING_SHARE, partsOf } from '../document/parts.ts';
import {
  type Discarded,
  type FlightFate,
  type Lost,
  NOTHING_DISCARDED,
  type Replica,
  ReplicaError,
} from '../document/replica.ts';
import { TroupeError } from '../errors.ts';
import type { OtAlgebra, OtHooks } from './ot-algebra.ts';
import { UndoHistory } from './undo-history.ts';

interface Entry<Op, Undo> {
  op: Op;
  /** The number of the first edit in it. */
  readonly edit: number;
  /** Undos that take the entry back, the last one first. Empty if the entry has no effect on the view. */
  undos: Undo[];
  /** An upper bound of the entry's size, made exact when a limit needs it. */
  bytes: number;
  readonly composable: boolean;
}

/** Undos that one entry may gather before it is reverted and applied again as one patch. */
const MOST_UNDOS = 64;

export class OtReplica<State, Op, Undo, Patch> implements Replica<Patch> {
  readonly versioned = true;
  readonly irrevocable = false;
  readonly #algebra: OtAlgebra<State, Op, Undo, Patch>;
  readonly #kind: DocumentKind<State, Op, Undo>;
  readonly #hooks: OtHooks<Op>;
  readonly #undo: UndoHistory<Op>;
  #state: State | undefined;
  #view: Wire | undefined;
  #pending: Entry<Op, Undo>[] = [];
  #flying = false;
  #edits = 0;

  constructor(algebra: OtAlgebra<State, Op, Undo, Patch>, hooks: OtHooks<Op>) {
    this.#algebra = algebra;
    this.#kind = algebra.kind;
    this.#hooks = hooks;
    this.#undo = new UndoHistory(algebra, hooks.now);
  }

  get loaded(): boolean {
    return this.#state !== undefined;
  }
  get pending(): boolean {
    return this.#pending.length > 0;
  }
  get edits(): number {
    return this.#edits;
  }
  get oldestPending(): number | undefined {
    return this.#pending[0]?.edit;
  }
  get canUndo(): boolean {
    return this.#undo.canUndo;
  }
  get canRedo(): boolean {
    return this.#undo.canRedo;
  }
  /** The pending edits, oldest first: they lead from the confirmed document to the view. */
  get pendingOps(): readonly Op[] {
    return this.#pending.map((entry) => entry.op);
  }

  /** The view as a snapshot that later edits do not change; computed once per change. */
  view(): Wire {
    this.#view ??= this.#kind.snapshot(this.#loadedState());
    return this.#view;
  }

  // ---- local edits

  /** Applies a patch in wire form to the view and queues it. Throws TroupeError. */
  edit(wire: unknown): void {
    const parsed = this.#kind.parse(wire, { depth: this.#hooks.depth() });
    if (!parsed.ok) throw new TroupeError(parsed.code, parsed.message);
    if (this.#kind.isEmpty(parsed.value)) return;
    const inverse = this.#local(parsed.value, 'edit');
    this.#undo.edited(inverse);
  }

  undo(): boolean {
    return this.#back(
      () => this.#undo.takeUndo(),
      (inverse) => this.#undo.undone(inverse),
      'undo',
    );
  }
  redo(): boolean {
    return this.#back(
      () => this.#undo.takeRedo(),
      (inverse) => this.#undo.redone(inverse),
      'redo',
    );
  }
  endUndoGroup(): void {
    this.#undo.endGroup();
  }

  /** Skips entries that have no effect any more because of others' edits. */
  #back(take: () => Op | undefined, keep: (inverse: Op) => void, origin: ChangeOrigin): boolean {
    for (let op = take(); op !== undefined; op = take()) {
      try {
        keep(this.#local(op, origin));
        return true;
      } catch (error) {
        if (!(error instanceof TroupeError) || error.code === 'too-large' || error.code === 'overloaded')
          throw error;
      }
    }
    return false;
  }

  /** Returns the patch that takes it back. */
  #local(op: Op, origin: ChangeOrigin): Op {
    const state = this.#loadedState();
    const parts = partsOf(this.#algebra, state, op, this.#hooks);
    const queued = this.#pending.reduce((sum, entry) => sum + entry.bytes, 0);
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    if (queued + bytes > this.#hooks.pendingBytes) {
      throw new TroupeError('overloaded', `${queued} bytes of edits are waiting to be sent already`, true);
    }
    let whole: { op: Op; inverse: Op } | undefined;
    for (const part of parts) {
      const applied = this.#algebra.applyInvertibly(state, part.op);
      if (!applied.ok) throw new TroupeError(applied.code, applied.message);
      this.#queue(applied.value, part.bytes);
      const { op: done, inverse } = applied.value;
      whole =
        whole === undefined
          ? { op: done, inverse }
          : { op: this.#kind.compose(whole.op, done), inverse: this.#kind.compose(inverse, whole.inverse) };
    }
    if (whole === undefined) throw new Error('an edit was divided into no parts');
    this.#changed(origin, whole.op);
    return whole.inverse;
  }

  #queue(applied: Applied<Op, Undo>, bytes: number): void {
    this.#edits++;
    const composable = this.#algebra.composable(applied.op);
    const last = this.#pending.at(-1);
    const open = last?.composable && !(this.#flying && this.#pending.length === 1);
    if (open && composable && this.#compose(last, applied, bytes)) return;
    this.#pending.push({ op: applied.op, edit: this.#edits, undos: [applied.undo], bytes, composable });
  }

  #compose(last: Entry<Op, Undo>, applied: Applied<Op, Undo>, bytes: number): boolean {
    const most = this.#hooks.opBytes() * LASTING_SHARE;
    const op = this.#kind.compose(last.op, applied.op);
    let together = last.bytes + bytes;
    if (together > most) together = this.#hooks.measure(this.#kind.wire(op));
    if (together > most) return false;
    last.op = op;
    last.bytes = together;
    last.undos.push(applied.undo);
    if (this.#kind.isEmpty(op)) this.#pending.pop();
    else if (last.undos.length > MOST_UNDOS) this.#fold(last);
    return true;
  }

  /** Replaces the many undos of the last entry by one. */
  #fold(last: Entry<Op, Undo>): void {
    const state = this.#loadedState();
    for (const undo of last.undos.toReversed()) this.#kind.revert(state, undo);
    const applied = this.#kind.apply(state, last.op);
    if (!applied.ok) throw new Error(`composed edits do not apply: ${applied.message}`);
    last.op = applied.value.op;
    last.undos = [applied.value.undo];
  }

  // ---- calls of the session

  fly(): Wire | undefined {
    const head = this.#pending[0];
    if (head === undefined) return undefined;
    this.#flying = true;
    return this.#kind.wire(head.op);
  }

  foreign(wire: Wire, author: string, version: number): Discarded<Patch> {
    const op = this.#parseCommitted(wire);
    const inverses = this.#revertFrom(0);
    const applied = this.#kind.apply(this.#loadedState(), op);
    if (!applied.ok) {
      this.#restore();
      throw new ReplicaError(`version ${version} does not apply: ${applied.message}`);
    }
    const change = applied.value.op;
    const followers = this.#rebase(inverses, change, 'remote', () =>
      this.#hooks.confirmed(change, author, version),
    );
    return { flight: undefined, followers };
  }

  own(wire: Wire, author: string, version: number): Discarded<Patch> {
    const head = this.#pending[0];
    if (head === undefined || !this.#flying) throw new ReplicaError('an own commit with nothing in flight');
    const op = this.#parseCommitted(wire);
    if (head.undos.length > 0 && this.#algebra.same(op, head.op)) {
      this.#shiftFlight();
      this.#hooks.confirmed(head.op, author, version);
      return NOTHING_DISCARDED;
    }
    const inverses = this.#revertFrom(1);
    const state = this.#loadedState();
    const predicted = this.#kind.snapshot(state);
    this.#revertEntry(head);
    const applied = this.#kind.apply(state, op);
    if (!applied.ok) {
      this.#restore();
      throw new ReplicaError(`own version ${version} does not apply: ${applied.message}`);
    }
    this.#shiftFlight();
    const change = this.#algebra.difference(predicted, this.#kind.snapshot(state));
    const followers = this.#rebase(inverses, change, 'correction', () =>
      this.#hooks.confirmed(applied.value.op, author, version),
    );
    return { flight: undefined, followers };
  }

  discard(_why: 'refused' | 'duplicate'): Discarded<Patch> {
    const head = this.#pending[0];
    if (head === undefined || !this.#flying) return NOTHING_DISCARDED;
    const inverses = this.#revertFrom(1);
    const change = this.#revertEntry(head);
    this.#shiftFlight();
    const followers = this.#rebase(inverses, change, 'correction', () => {}, true);
    return { flight: this.#kind.isEmpty(head.op) ? undefined : this.#lost(head), followers };
  }

  load(snapshot: Wire, version: number, flight: FlightFate): Discarded<Patch> {
    const fresh = this.#loadSnapshot(snapshot, version);
    if (this.#state === undefined) {
      this.#state = fresh;
      this.#view = undefined;
      this.#hooks.reset(version);
      return NOTHING_DISCARDED;
    }
    const dropped = flight === 'unknown' ? this.discard('refused') : NOTHING_DISCARDED;
    const kept = flight === 'committed' && this.#flying ? 1 : 0;
    const inverses = this.#revertFrom(kept);
    const change = this.#algebra.difference(this.#kind.snapshot(this.#state), this.#kind.snapshot(fresh));
    if (kept === 1) this.#shiftFlight();
    this.#state = fresh;
    const followers = this.#rebase(inverses, change, 'correction', () => this.#hooks.reset(version));
    return { flight: dropped.flight, followers: [...dropped.followers, ...followers] };
  }

  giveUp(): Discarded<Patch> {
    const patches = this.#pending
      .filter((entry) => !this.#kind.isEmpty(entry.op))
      .map((entry) => this.#lost(entry));
    const flying = this.#flying;
    this.#pending = [];
    this.#flying = false;
    const [first, ...others] = patches;
    return flying ? { flight: first, followers: others } : { flight: undefined, followers: patches };
  }

  // ---- rebasing

  #parseCommitted(wire: Wire): Op {
    const parsed = this.#kind.parse(wire, UNLIMITED);
    if (!parsed.ok) throw new ReplicaError(`a commit that is no patch: ${parsed.message}`);
    return parsed.value;
  }

  #loadSnapshot(snapshot: Wire, version: number): State {
    try {
      return this.#kind.load(snapshot);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ReplicaError(`the snapshot of version ${version} does not load: ${why}`);
    }
  }

  /**
   * Takes entries back from the last down to `from`. Returns their inverses, in the order in which they were
   * applied.
   */
  #revertFrom(from: number): Op[] {
    const inverses: Op[] = [];
    for (const entry of this.#pending.slice(from).reverse()) {
      const inverse = this.#revertEntry(entry);
      if (inverse !== undefined) inverses.push(inverse);
    }
    return inverses;
  }

  /** Reverts an entry. Returns its inverse, undefined if the entry had no effect. */
  #revertEntry(entry: Entry<Op, Undo>): Op | undefined {
    if (entry.undos.length === 0) return undefined;
    const state = this.#loadedState();
    for (const undo of entry.undos.toReversed()) this.#kind.revert(state, undo);
    entry.undos = [];
    return this.#kind.invert(entry.op, state);
  }

  /** Puts reverted entries back as they were. */
  #restore(): void {
    for (const entry of this.#pending) {
      if (entry.undos.length > 0) continue;
      const applied = this.#kind.apply(this.#loadedState(), entry.op);
      if (applied.ok) entry.undos = [applied.value.undo];
    }
  }

  #shiftFlight(): void {
    this.#pending.shift();
    this.#flying = false;
  }

  /**
   * Puts all pending entries back past `change`, which the state below them has gone through; all of them are
   * reverted. Returns the entries that were lost: those that no longer apply, and with `reportEmptied` also
   * those of which `change` left no step.
   */
  #rebase(
    inverses: readonly Op[],
    change: Op | undefined,
    origin: ChangeOrigin,
    confirmed: () => void = () => {},
    reportEmptied = false,
  ): Lost<Patch>[] {
    const before = this.#pending;
    const chain = before.map((entry) => entry.op);
    const moved = change === undefined ? { chain, change: undefined } : this.#algebra.rebase(chain, change);
    const lost: Lost<Patch>[] = [];
    const after: Entry<Op, Undo>[] = [];
    before.forEach((entry, i) => {
      const op = moved.chain[i] ?? entry.op;
      const flying = this.#flying && i === 0;
      const applied = this.#kind.apply(this.#loadedState(), op);
      if (applied.ok && (flying || !this.#kind.isEmpty(op))) {
        after.push({ ...entry, op: applied.value.op, undos: [applied.value.undo] });
      } else if (flying) {
        after.push({ ...entry, op, undos: [] });
      } else if (!applied.ok || (reportEmptied && !this.#kind.isEmpty(entry.op))) {
        lost.push(this.#lost(entry));
      }
    });
    this.#pending = after;
    confirmed();
    if (change === undefined || this.#kind.isEmpty(change)) return lost;
    const pendingAfter = after.filter((entry) => entry.undos.length > 0).map((entry) => entry.op);
    const exact = () =>
      [...inverses, change, ...pendingAfter].reduce((all, next) => this.#kind.compose(all, next));
    const told =
      before.length === 0
        ? change
        : this.#algebra.viewChange({
            change,
            short: moved.change,
            exact,
            pendingBefore: chain,
            pendingAfter,
          });
    this.#undo.changed(chain, change);
    if (!this.#kind.isEmpty(told)) this.#changed(origin, told);
    return lost;
  }

  #lost({ op, edit }: Entry<Op, Undo>): Lost<Patch> {
    return { patch: this.#algebra.patch(op), edit };
  }

  #changed(origin: ChangeOrigin, op: Op): void {
    this.#view = undefined;
    this.#hooks.changed(origin, op);
  }

  #loadedState(): State {
    if (this.#state === undefined) throw new TroupeError('not-open', 'the document is not loaded yet');
    return this.#state;
  }
}

const UNLIMITED = { depth: Number.POSITIVE_INFINITY };
