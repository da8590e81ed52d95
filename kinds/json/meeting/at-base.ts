// Judges a patch on the document as it was at its base, which is seen through the undo logs of the patches since.
// Owns that view, and which steps apply there. It reads containers and never changes one: what the steps of the
// patch themselves change is kept beside them.
import type { Fit } from '../../kind.ts';
import {
  type Container,
  type Held,
  isContainer,
  isList,
  itemOf,
  type List,
  type Members,
  memberOf,
} from '../held/held.ts';
import type { JsonState, JsonUndo, UndoEdit } from '../state.ts';
import { isNoIndex, type JsonOp, type Pointer, type Step, type Token, targetOf, toIndex } from '../step.ts';

/** Microseconds for each earlier change of a list that a place is moved past, and for each change that is copied. */
const LOOK_US = 0.004;
/** As many looks as an edit of the undo log costs, and a token of a pointer. */
const EDIT_LOOKS = 25;
const TOKEN_LOOKS = 50;

/**
 * Tells how far `op` applies to the document that `state` was before the applications of `undos`, the oldest first.
 * Tests are not evaluated. Undefined if it would take more than `mostUs` microseconds.
 */
export function fitBefore(
  undos: readonly JsonUndo[],
  state: JsonState,
  op: JsonOp,
  mostUs: number,
): Fit | undefined {
  const budget = new Budget(mostUs);
  const trial = new Trial(new Before(undos, state, budget), budget);
  for (const [steps, step] of op.steps.entries()) {
    const problem = trial.step(step);
    if (budget.isSpent) return undefined;
    if (problem !== undefined) return { steps, message: `step ${steps}: ${problem}` };
  }
  return budget.isSpent ? undefined : { steps: op.steps.length, message: '' };
}

/** The same for the document at hand. */
export function fitAt(state: JsonState, op: JsonOp): Fit {
  const fit = fitBefore([], state, op, Number.POSITIVE_INFINITY);
  if (fit === undefined) throw new Error('an endless budget is spent');
  return fit;
}

class Budget {
  #leftUs: number;

  constructor(us: number) {
    this.#leftUs = us;
  }

  get isSpent(): boolean {
    return this.#leftUs < 0;
  }

  spend(looks: number): void {
    this.#leftUs -= LOOK_US * looks;
  }
}

/** A list edit of the undo log, or of the trial. */
type ListEdit = Extract<UndoEdit, { readonly at: List }>;

/** The containers of a document as they were before the applications of some undos. */
class Before {
  readonly root: Held;
  readonly #budget: Budget;
  /** The values, by member, of members that have been edited since. The oldest edit of a member counts. */
  readonly #members = new Map<Members, Map<string, Held | undefined>>();
  /** The oldest first. */
  readonly #lists = new Map<List, ListEdit[]>();

  constructor(undos: readonly JsonUndo[], state: JsonState, budget: Budget) {
    this.#budget = budget;
    let root: { readonly old: Held } | undefined;
    for (const { edits } of undos) {
      budget.spend(EDIT_LOOKS * edits.length);
      for (const edit of edits) {
        if (edit.type === 'root') root ??= edit;
        else if (edit.type === 'member') {
          const members = this.#members.get(edit.at) ?? new Map<string, Held | undefined>();
          this.#members.set(edit.at, members);
          if (!members.has(edit.key)) members.set(edit.key, edit.old);
        } else {
          const list = this.#lists.get(edit.at);
          if (list === undefined) this.#lists.set(edit.at, [edit]);
          else list.push(edit);
        }
      }
    }
    this.root = root === undefined ? state.root : root.old;
  }

  member(members: Members, key: string): Held | undefined {
    const edited = this.#members.get(members);
    return edited?.has(key) ? edited.get(key) : memberOf(members, key);
  }

  length(list: List): number {
    let { length } = list;
    for (const { type } of this.#editsOf(list)) {
      if (type === 'inserted') length--;
      else if (type === 'removed') length++;
    }
    return length;
  }

  item(list: List, index: number): Held {
    let at = index;
    for (const edit of this.#editsOf(list)) {
      if (edit.type === 'inserted') {
        if (at >= edit.index) at++;
      } else if (at === edit.index) return edit.old;
      else if (edit.type === 'removed' && at > edit.index) at--;
    }
    return itemOf(list, at);
  }

  #editsOf(list: List): readonly ListEdit[] {
    const edits = this.#lists.get(list) ?? [];
    this.#budget.spend(edits.length);
    return edits;
  }
}

/** A value during the trial. Only containers matter. */
type Value = Branch | 'scalar';

/** A change that the trial has made to a list. */
type Change =
  | { readonly type: 'item' | 'inserted'; readonly index: number; readonly value: Value }
  | { readonly type: 'removed'; readonly index: number };

/** A container as it was at the base, and what the trial has changed in it. */
class Branch {
  readonly held: Container;
  /** By name. Undefined: removed. */
  readonly members: Map<string, Value | undefined>;
  /** The oldest first. */
  readonly changes: Change[];
  /** It stands at several places, so it is copied before it is changed. */
  isShared = false;

  constructor(held: Container, members = new Map<string, Value | undefined>(), changes: Change[] = []) {
    this.held = held;
    this.members = members;
    this.changes = changes;
  }
}

interface Spot {
  readonly branch: Branch;
  /** The index if the branch is a list. */
  readonly token: Token;
}

const branchOf = (held: Held): Value => (isContainer(held) ? new Branch(held) : 'scalar');

/** Does the steps of a patch one after the other. Each returns the reason for which it does not apply. */
class Trial {
  readonly #before: Before;
  readonly #budget: Budget;
  #root: Value;

  constructor(before: Before, budget: Budget) {
    this.#before = before;
    this.#budget = budget;
    this.#root = branchOf(before.root);
  }

  step(step: Step): string | undefined {
    switch (step.op) {
      case 'test':
        return this.#test(step.path);
      case 'remove': {
        const spot = this.#find(step.path, false);
        if (typeof spot === 'string') return spot;
        this.#takeOut(spot);
        return undefined;
      }
      case 'add':
      case 'replace': {
        if (step.path.length === 0) {
          this.#root = branchOf(step.value);
          return undefined;
        }
        const spot = this.#find(targetOf(step), step.op === 'add');
        if (typeof spot === 'string') return spot;
        this.#put(spot, branchOf(step.value), step.op === 'add');
        return undefined;
      }
      case 'copy':
      case 'move': {
        const source = this.#find(step.from, false);
        if (typeof source === 'string') return `from: ${source}`;
        const value = this.#at(source) ?? 'scalar';
        if (step.op === 'move') this.#takeOut(source);
        else if (value !== 'scalar') value.isShared = true;
        const spot = this.#find(targetOf(step), true);
        if (typeof spot === 'string') return spot;
        this.#put(spot, value, true);
        return undefined;
      }
      default:
        return step satisfies never;
    }
  }

  /** A test is evaluated when its patch commits. Only a token that can never be an index is wrong already. */
  #test(path: Pointer): string | undefined {
    this.#budget.spend(TOKEN_LOOKS * path.length);
    let value: Value | undefined = this.#root;
    for (const token of path) {
      if (value === undefined || value === 'scalar') return undefined;
      if (isList(value.held) && isNoIndex(token)) return noIndex(token);
      if (!isList(value.held)) value = this.#at({ branch: value, token });
      else {
        const index = toIndex(token);
        value =
          index < this.#length(value, value.held) ? this.#at({ branch: value, token: index }) : undefined;
      }
    }
    return undefined;
  }

  /**
   * Finds a place that a step may change, or returns the reason for which there is none. With `slot`, it may be one
   * where a value can be put. The same rules as in place.ts.
   */
  #find(pointer: Pointer, slot: boolean): Spot | string {
    this.#budget.spend(TOKEN_LOOKS * pointer.length);
    let value = this.#owned(this.#root, (copy) => {
      this.#root = copy;
    });
    for (const [depth, token] of pointer.entries()) {
      if (value === 'scalar') return 'path leads through a scalar';
      const puts = slot && depth === pointer.length - 1;
      const spot = isList(value.held)
        ? this.#inList(value, value.held, token, puts)
        : inMembers(value, token);
      if (typeof spot === 'string' || puts) return spot;
      const there = this.#at(spot);
      if (there === undefined) return 'path does not exist';
      if (depth === pointer.length - 1) return spot;
      value = this.#owned(there, (copy) => this.#put(spot, copy, false));
    }
    return 'the root has no container';
  }

  #inList(branch: Branch, list: List, token: Token, puts: boolean): Spot | string {
    const length = this.#length(branch, list);
    const index = token === '-' && puts ? length : toIndex(token);
    if (index < 0) return noIndex(token);
    if (puts ? index > length : index >= length) return `index ${token} is past the end`;
    return { branch, token: index };
  }

  /** Returns the value in a form that the trial may change. `keep` puts a form that is new in its place. */
  #owned(value: Value, keep: (copy: Branch) => void): Value {
    if (value === 'scalar' || !value.isShared) return value;
    const { held, members, changes } = value;
    this.#budget.spend(EDIT_LOOKS * (members.size + changes.length));
    for (const member of members.values()) share(member);
    for (const change of changes) if (change.type !== 'removed') share(change.value);
    const copy = new Branch(held, new Map(members), [...changes]);
    keep(copy);
    return copy;
  }

  /** The value at a place, which is kept, so that changes below it are not lost. Undefined if there is none. */
  #at(spot: Spot): Value | undefined {
    const { branch, token } = spot;
    const { held, members, changes } = branch;
    let found: Held | undefined;
    if (isList(held)) {
      let index = Number(token);
      this.#budget.spend(changes.length);
      for (let i = changes.length - 1; i >= 0; i--) {
        const change = changes[i];
        if (change === undefined) break;
        if (change.type === 'removed') {
          if (index >= change.index) index++;
        } else if (index === change.index) return change.value;
        else if (change.type === 'inserted' && index > change.index) index--;
      }
      found = this.#before.item(held, index);
    } else {
      const key = String(token);
      if (members.has(key)) return members.get(key);
      found = this.#before.member(held, key);
    }
    if (!isContainer(found)) return found === undefined ? undefined : 'scalar';
    const value = new Branch(found);
    this.#put(spot, value, false);
    return value;
  }

  #length({ changes }: Branch, list: List): number {
    this.#budget.spend(changes.length);
    let length = this.#before.length(list);
    for (const { type } of changes) {
      if (type === 'inserted') length++;
      else if (type === 'removed') length--;
    }
    return length;
  }

  /** Puts a value at a place: sets a member, or inserts an element or, without `inserts`, replaces it. */
  #put({ branch, token }: Spot, value: Value, inserts: boolean): void {
    if (isList(branch.held))
      branch.changes.push({ type: inserts ? 'inserted' : 'item', index: Number(token), value });
    else branch.members.set(String(token), value);
  }

  #takeOut({ branch, token }: Spot): void {
    if (isList(branch.held)) branch.changes.push({ type: 'removed', index: Number(token) });
    else branch.members.set(String(token), undefined);
  }
}

const noIndex = (token: Token): string => `${token} is not a list index`;

function inMembers(branch: Branch, token: Token): Spot | string {
  return typeof token === 'number' ? `index ${token} on an object` : { branch, token };
}

function share(value: Value | undefined): void {
  if (value !== undefined && value !== 'scalar') value.isShared = true;
}
