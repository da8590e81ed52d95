// The patch that takes back some patches of a document's past and keeps all others, as a user's undo does.
// Owns the order in which the inverses are brought to the present; reads no log. Pure.
//
// The caller goes through the log from the first patch to take back up to the head. At each version there is one
// patch that takes back what is to be taken back of the past so far. A patch to take back puts its own inverse in
// front of it. For any other patch it gives way: where the two contradict each other, the later patch wins.

import { type JsonOp, type JsonState, type JsonUndo, jsonKind } from '../json/json.ts';
import { yieldTo } from '../json/meeting/yielding.ts';
import type { Step } from '../json/step.ts';
import type { Delta } from '../rich-text/delta.ts';
import { type Runs, richTextKind } from '../rich-text/rich-text.ts';

/** `State` is the document at the version that has been reached. */
export interface Revert<State, Op> {
  /** Goes past a patch to take back. `state` is the document before it, and afterwards the one after it. */
  takeBack(state: State, op: Op): void;
  /** Goes past a patch to keep. `state` likewise. */
  keep(state: State, op: Op): void;
  /**
   * The patch, made on the version that has been reached, which `state` has. Steps whose place is no longer there, since
   * a patch that stays has taken it away, are left out. The state is afterwards as it was.
   */
  patchOn(state: State): Op;
}

interface Rules<State, Op> {
  readonly nothing: Op;
  /** Applies the patch, and returns the one that takes it back. */
  invertibly(state: State, op: Op): Op;
  apply(state: State, op: Op): void;
  compose(first: Op, second: Op): Op;
  /** `undo` past `later`, to which it gives way. */
  giveWay(undo: Op, later: Op): Op;
  /** The part of `undo` that applies to the state, which is afterwards as it was. */
  fitting(state: State, undo: Op): Op;
}

export const revertOfText = (): Revert<Runs, Delta> =>
  new Reverting<Runs, Delta>({
    nothing: [],
    invertibly: (state, op) => applied(richTextKind.apply(state, op)).undo,
    apply: (state, op) => void applied(richTextKind.apply(state, op)),
    compose: richTextKind.compose,
    giveWay: richTextKind.transform,
    // A transformed Delta always fits.
    fitting: (_, undo) => undo,
  });

export const revertOfJson = (): Revert<JsonState, JsonOp> =>
  new Reverting<JsonState, JsonOp>({
    nothing: { steps: [], known: true },
    invertibly: (state, op) => {
      const inverse = jsonKind.invert(op, state);
      applied(jsonKind.apply(state, op));
      return inverse;
    },
    apply: (state, op) => void applied(jsonKind.apply(state, op)),
    compose: jsonKind.compose,
    giveWay: (undo, later) => yieldTo([], [undo], later)[0] ?? undo,
    fitting,
  });

function fitting(state: JsonState, { steps }: JsonOp): JsonOp {
  const kept: Step[] = [];
  const undos: JsonUndo[] = [];
  for (const step of steps) {
    const tried = jsonKind.apply(state, { steps: [step], known: true });
    if (!tried.ok) continue;
    kept.push(step);
    undos.push(tried.value.undo);
  }
  for (const undo of undos.reverse()) jsonKind.revert(state, undo);
  return { steps: kept, known: true };
}

class Reverting<State, Op> implements Revert<State, Op> {
  readonly #rules: Rules<State, Op>;
  #patch: Op;

  constructor(rules: Rules<State, Op>) {
    this.#rules = rules;
    this.#patch = rules.nothing;
  }

  patchOn(state: State): Op {
    return this.#rules.fitting(state, this.#patch);
  }

  takeBack(state: State, op: Op): void {
    this.#patch = this.#rules.compose(this.#rules.invertibly(state, op), this.#patch);
  }

  keep(state: State, op: Op): void {
    this.#rules.apply(state, op);
    if (this.#patch !== this.#rules.nothing) this.#patch = this.#rules.giveWay(this.#patch, op);
  }
}

function applied<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string },
): T {
  if (!result.ok) throw new Error(`a committed patch does not apply: ${result.message}`);
  return result.value;
}
