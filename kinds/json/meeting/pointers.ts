// Transforms a pointer past a step that its author had not seen. Owns index shifts, the following of moved
// values, and which places are gone; knows neither documents nor the purpose of a step.
//
// A pointer plays one of two parts. A `value` pointer names an existing value (remove, replace, test and
// `from`). A `slot` pointer names a place to put something (add, move and copy): a gap in a list or a
// member of an object.
import { END, meets, type Pointer, type Step, toIndex, within, withToken } from '../step.ts';

export type Part = 'value' | 'slot';
/** `inside`: a container around the value is gone or was overwritten. `removed`: the value itself is gone. */
export type Lost = 'inside' | 'removed';

export const isLost = (place: Pointer | Lost): place is Lost => typeof place === 'string';

/**
 * Transforms `pointer` past `step`. With `later`, the pointer belongs to a step that commits later, so at
 * the same gap it stands behind.
 */
export function pastStep(pointer: Pointer, part: Part, step: Step, later: boolean): Pointer | Lost {
  switch (step.op) {
    case 'test':
      return pointer;
    case 'remove':
      return pastRemove(pointer, part, step.path);
    case 'replace':
      return pastReplace(pointer, step.path);
    case 'add':
    case 'copy':
      return pastPut(pointer, part, step.path, later);
    case 'move': {
      if (within(pointer, step.from) && (part === 'value' || pointer.length > step.from.length))
        return [...step.path, ...pointer.slice(step.from.length)];
      const left = pastRemove(pointer, part, step.from);
      return isLost(left) ? left : pastPut(left, part, step.path, later);
    }
    default:
      return step satisfies never;
  }
}

function pastRemove(pointer: Pointer, part: Part, removed: Pointer): Pointer | Lost {
  if (!meets(pointer, removed)) return pointer;
  const depth = removed.length - 1;
  const mine = pointer[depth];
  const gone = removed[depth];
  const inside = pointer.length > removed.length;
  if (typeof mine === 'number' || typeof gone === 'number') {
    const index = toIndex(mine);
    const hole = toIndex(gone);
    if (index < 0 || hole < 0 || index < hole || index === END) return pointer;
    if (index > hole) return withToken(pointer, depth, index - 1);
  } else if (mine !== gone) return pointer;
  if (inside) return 'inside';
  return part === 'slot' ? pointer : 'removed';
}

function pastReplace(pointer: Pointer, replaced: Pointer): Pointer | Lost {
  return pointer.length > replaced.length && within(pointer, replaced) ? 'inside' : pointer;
}

/** Transforms `pointer` past an insertion into a list, or a write of a member or of the root. */
function pastPut(pointer: Pointer, part: Part, put: Pointer, later: boolean): Pointer | Lost {
  if (!meets(pointer, put)) return pointer;
  const depth = put.length - 1;
  const mine = pointer[depth];
  const theirs = put[depth];
  if (typeof mine !== 'number' && typeof theirs !== 'number') return pastReplace(pointer, put);
  const index = toIndex(mine);
  const gap = toIndex(theirs);
  if (index < 0 || gap < 0 || index < gap || index === END) return pointer;
  const tie = index === gap && part === 'slot' && pointer.length === put.length;
  return tie && !later ? pointer : withToken(pointer, depth, index + 1);
}

/**
 * The target of a move as a slot in the document that still has the value at `from`. In this form both
 * pointers of the move can be mapped alike. A gap that touches the value stands before it.
 */
export function toFull(path: Pointer, from: Pointer): Pointer {
  const depth = from.length - 1;
  if (!meets(path, from) || !isList(path, from, depth)) return path;
  const index = toIndex(path[depth]);
  const hole = toIndex(from[depth]);
  if (index < 0 || hole < 0 || index === END) return path;
  const behind = path.length === from.length ? index > hole : index >= hole;
  return behind ? withToken(path, depth, index + 1) : path;
}

/** The inverse of `toFull`. `full` is not inside `from`. */
export function fromFull(full: Pointer, from: Pointer): Pointer {
  const depth = from.length - 1;
  if (!meets(full, from) || !isList(full, from, depth)) return full;
  const index = toIndex(full[depth]);
  const hole = toIndex(from[depth]);
  if (index < 0 || hole < 0 || index === END) return full;
  return index > hole ? withToken(full, depth, index - 1) : full;
}

const isList = (path: Pointer, from: Pointer, depth: number): boolean =>
  typeof path[depth] === 'number' || typeof from[depth] === 'number';
