// The patches of undo and redo, on the view as it is now. Owns grouping, the bound, and keeping each entry
// valid while others edit; it applies nothing.

export interface UndoAlgebra<Op> {
  /**
   * `before` and then `entries` are a chain: each is made on the result of the one before it. Returns the
   * entries as they apply after `change`, which was made at the start of the chain; in a conflict the entries
   * give way.
   */
  yieldTo(before: readonly Op[], entries: readonly Op[], change: Op): Op[];
  compose(first: Op, second: Op): Op;
  isEmpty(op: Op): boolean;
}

/** Groups that can be undone; the oldest is forgotten past it. */
const DEPTH = 200;
/** Edits closer together than this are one group. */
const GROUP_MS = 500;

export class UndoHistory<Op> {
  readonly #algebra: UndoAlgebra<Op>;
  readonly #now: () => number;
  #undo: Op[] = [];
  #redo: Op[] = [];
  /** Time of the latest edit; undefined if the next edit begins a group. */
  #groupAt: number | undefined;

  constructor(algebra: UndoAlgebra<Op>, now: () => number) {
    this.#algebra = algebra;
    this.#now = now;
  }

  get canUndo(): boolean {
    return this.#undo.length > 0;
  }
  get canRedo(): boolean {
    return this.#redo.length > 0;
  }

  /** Records an edit; `inverse` takes it back. */
  edited(inverse: Op): void {
    this.#redo = [];
    const now = this.#now();
    const top = this.#undo.at(-1);
    if (top !== undefined && this.#groupAt !== undefined && now - this.#groupAt < GROUP_MS) {
      this.#undo[this.#undo.length - 1] = this.#algebra.compose(inverse, top);
    } else {
      this.#push(this.#undo, inverse);
    }
    this.#groupAt = now;
  }

  /** Makes the next edit begin a group. */
  endGroup(): void {
    this.#groupAt = undefined;
  }

  /** Takes off the patch that undoes the latest group. Pass its own inverse to `undone`. */
  takeUndo(): Op | undefined {
    this.endGroup();
    return this.#undo.pop();
  }
  undone(inverse: Op): void {
    this.#push(this.#redo, inverse);
  }

  takeRedo(): Op | undefined {
    this.endGroup();
    return this.#redo.pop();
  }
  redone(inverse: Op): void {
    this.#push(this.#undo, inverse);
  }

  /** Moves the entries past `change`, which came in below the edits `pending`, on which the entries stand. */
  changed(pending: readonly Op[], change: Op): void {
    this.#undo = this.#past(this.#undo, pending, change);
    this.#redo = this.#past(this.#redo, pending, change);
  }

  /** The top of a stack applies to the view, and each entry below it to the result of the one above. */
  #past(stack: Op[], pending: readonly Op[], change: Op): Op[] {
    if (stack.length === 0) return stack;
    const moved = this.#algebra.yieldTo(pending, stack.toReversed(), change);
    return moved.filter((entry) => !this.#algebra.isEmpty(entry)).reverse();
  }

  #push(stack: Op[], op: Op): void {
    if (this.#algebra.isEmpty(op)) return;
    stack.push(op);
    if (stack.length > DEPTH) stack.shift();
  }
}
