// Finds the place to which a pointer leads in a document. Owns the classification of tokens by the
// containers of the document, and the reasons for which a place does not exist; never changes anything.
import {
  type Container,
  type Held,
  hasMember,
  isContainer,
  isList,
  itemOf,
  type List,
  type Members,
  memberOf,
} from './held/held.ts';
import { type Pointer, type Token, toIndex } from './step.ts';

/** The value at `pointer`. Undefined if there is none. */
export function valueAt(root: Held, pointer: Pointer): Held | undefined {
  if (pointer.length === 0) return root;
  const place = locate(root, pointer, false);
  return typeof place === 'string' ? undefined : valueIn(place);
}

/** A place in a container, with its pointer classified and the containers around it, outermost first. */
export type Place = { readonly pointer: Pointer; readonly around: readonly Container[] } & (
  | { readonly list: List; readonly index: number }
  | { readonly list: undefined; readonly members: Members; readonly key: string }
);

/**
 * Finds a place, or returns the reason for which there is none. With `slot`, the place may be one where a
 * value can be put; without it, the place must hold a value.
 */
export function locate(root: Held, pointer: Pointer, slot: boolean): Place | string {
  let node: Held | undefined = root;
  let classified: Token[] | undefined;
  const around: Container[] = [];
  const last = pointer.length - 1;
  for (let depth = 0; depth <= last; depth++) {
    const token = pointer[depth];
    if (token === undefined || !isContainer(node)) return 'path leads through a scalar';
    around.push(node);
    if (isList(node)) {
      const puts = slot && depth === last;
      const index: number = token === '-' && puts ? node.length : toIndex(token);
      if (index < 0) return `${token} is not a list index`;
      if (puts ? index > node.length : index >= node.length) return `index ${token} is past the end`;
      if (typeof token !== 'number') {
        classified ??= [...pointer];
        classified[depth] = index;
      }
      if (depth === last) return { pointer: classified ?? pointer, around, list: node, index };
      node = itemOf(node, index);
      continue;
    }
    if (typeof token === 'number') return `index ${token} on an object`;
    const there = hasMember(node, token);
    if (depth === last && (slot || there))
      return { pointer: classified ?? pointer, around, list: undefined, members: node, key: token };
    if (!there) return 'path does not exist';
    node = memberOf(node, token);
  }
  return 'the root has no container';
}

export function valueIn(place: Place): Held | undefined {
  if (place.list !== undefined) return itemOf(place.list, place.index);
  return memberOf(place.members, place.key);
}
