// Classifies the tokens of a step whose document is no longer at hand, by looking up its places in the
// present document. Owns that detour; decides nothing about how steps are transformed.
import { type Held, isList, type List } from '../held/held.ts';
import { valueAt } from '../place.ts';
import type { JsonState } from '../state.ts';
import { isAmbiguous, type Pointer, type Step, samePointer, toIndex } from '../step.ts';
import { isLost, type Lost, type Part, pastStep, toFull } from './pointers.ts';

/**
 * Returns `step`, made on the document before `carried`, with its list indices as numbers, as far as its
 * lists are still in `state`, the document after `carried`. A `-` becomes the number that it was for the
 * author. With `fruitless` the step has no effect, and digits in containers that are gone count as indices.
 */
export function settle(step: Step, carried: readonly Step[], state: JsonState, fruitless: boolean): Step {
  const view = new View(carried, state, fruitless);
  if (step.op !== 'move' && step.op !== 'copy') {
    const path = view.classified(step.path);
    if (step.op === 'add' && view.isEnd(path)) return { ...step, path: view.withEnd(path), end: true };
    return path === step.path ? step : { ...step, path };
  }
  const from = view.classified(step.from);
  if (step.op === 'copy') {
    const path = view.classified(step.path);
    if (view.isEnd(path)) return { ...step, from, path: view.withEnd(path), end: true };
    return { ...step, from, path };
  }
  // The containers of a move's target are looked up in the document that the value has not left yet.
  const full = toFull(step.path, from);
  const places = view.classified(full);
  const path = step.path.map((token, depth) => (typeof places[depth] === 'number' ? toIndex(token) : token));
  if (!view.isEnd(places)) return { ...step, from, path };
  const leaves = samePointer(from.slice(0, -1), places.slice(0, -1)) ? 1 : 0;
  const end = Math.max(0, toIndex(view.withEnd(places).at(-1)) - leaves);
  return { ...step, from, path: path.with(-1, end), end: true };
}

/** Stands for any member of a container. It is not an index, and no client uses it as a name. */
const ANY_MEMBER = '\uffff';

class View {
  readonly #carried: readonly Step[];
  readonly #state: JsonState;
  readonly #guesses: boolean;

  constructor(carried: readonly Step[], state: JsonState, guesses: boolean) {
    this.#carried = carried;
    this.#state = state;
    this.#guesses = guesses;
  }

  /** The pointer with its indices as numbers. `-` stays. */
  classified(pointer: Pointer): Pointer {
    let out = pointer;
    for (const [depth, token] of pointer.entries()) {
      if (typeof token === 'number' || token === '-' || !isAmbiguous(token)) continue;
      const container = this.#valueAt(out.slice(0, depth));
      // A container that is gone cannot be looked up, and a digit is far more often an index. A fruitless
      // step matters only for the later steps of its patch that build on it.
      if (isList(container) || (this.#guesses && container === undefined))
        out = out.with(depth, toIndex(token));
    }
    return out;
  }

  isEnd(pointer: Pointer): boolean {
    return pointer.at(-1) === '-' && this.#listAt(pointer.slice(0, -1)) !== undefined;
  }

  /** The pointer with its last `-` as the number of elements that the author saw. */
  withEnd(pointer: Pointer): Pointer {
    const length = this.#listAt(pointer.slice(0, -1))?.length ?? 0;
    // Gaps keep their order, so the author's last gap is the last gap that is not past the end now.
    let low = 0;
    let high = length + this.#carried.length;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const gap = this.#now(pointer.with(-1, middle), 'slot');
      if (isLost(gap) || toIndex(gap.at(-1)) > length) high = middle - 1;
      else low = middle;
    }
    return pointer.with(-1, low);
  }

  #listAt(pointer: Pointer): List | undefined {
    const value = this.#valueAt(pointer);
    return isList(value) ? value : undefined;
  }

  /**
   * The container at `pointer`, if it is still the one that the author saw. A value that has overwritten it
   * tells nothing.
   */
  #valueAt(pointer: Pointer): Held | undefined {
    const inside = this.#now([...pointer, ANY_MEMBER], 'value');
    return isLost(inside) ? undefined : valueAt(this.#state.root, inside.slice(0, -1));
  }

  #now(pointer: Pointer, part: Part): Pointer | Lost {
    let place: Pointer | Lost = pointer;
    for (const step of this.#carried) {
      if (isLost(place)) break;
      place = pastStep(place, part, step, true);
    }
    return place;
  }
}
