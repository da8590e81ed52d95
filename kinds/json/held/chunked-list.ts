// A list in which inserting and removing costs the same at any place and at any length: a tree whose leaves
// hold the elements in chunks. Owns the order of its elements; never looks at them.

/** A leaf has at most `fanOut` items, a branch at most `fanOut` children. */
type Node<T> = Leaf<T> | Branch<T>;

interface Leaf<T> {
  readonly items: T[];
  readonly children: undefined;
  length: number;
}

interface Branch<T> {
  readonly children: Node<T>[];
  /** Number of elements below this node. */
  length: number;
}

export class ChunkedList<T> {
  #root: Node<T>;
  readonly #fanOut: number;

  /**
   * @param fanOut at least 4
   * @param groups the elements in arrays of at most `fanOut`, which the list takes over
   */
  constructor(items: readonly T[], fanOut: number, groups: readonly T[][] = grouped(items, fanOut)) {
    this.#fanOut = fanOut;
    let level: Node<T>[] = groups.map(leafOf);
    while (level.length > 1) level = grouped(level, fanOut).map(branchOf);
    this.#root = level[0] ?? leafOf([]);
  }

  get length(): number {
    return this.#root.length;
  }

  /** Returns the element at `index`. The index must exist. */
  at(index: number): T {
    const { leaf, offset } = this.#find(index);
    return leaf.items[offset] as T;
  }

  set(index: number, item: T): void {
    const { leaf, offset } = this.#find(index);
    leaf.items[offset] = item;
  }

  /** @param index 0 … length */
  insert(index: number, item: T): void {
    if (!(index >= 0 && index <= this.length))
      throw new RangeError(`no gap ${index} in ${this.length} elements`);
    const right = insertInto(this.#root, index, item, this.#fanOut);
    if (right !== undefined) this.#root = branchOf([this.#root, right]);
  }

  remove(index: number): T {
    this.#check(index);
    const removed = removeFrom(this.#root, index, this.#fanOut);
    while (this.#root.children?.length === 1 && this.#root.children[0] !== undefined)
      this.#root = this.#root.children[0];
    return removed;
  }

  /** The elements in order. */
  toArray(): T[] {
    const all: T[] = [];
    for (const items of this.chunks()) for (const item of items) all.push(item);
    return all;
  }

  /** The elements in order, in arrays that belong to the list. */
  *chunks(): Generator<readonly T[], undefined> {
    const waiting: Node<T>[] = [this.#root];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (node.children === undefined) yield node.items;
      else for (let i = node.children.length - 1; i >= 0; i--) waiting.push(node.children[i] as Node<T>);
    }
  }

  #check(index: number): void {
    if (!(index >= 0 && index < this.length)) throw new RangeError(`no element ${index} of ${this.length}`);
  }

  #find(index: number): { leaf: Leaf<T>; offset: number } {
    this.#check(index);
    let node = this.#root;
    let offset = index;
    while (node.children !== undefined) {
      let at = 0;
      let child = node.children[at] as Node<T>;
      while (offset >= child.length) {
        offset -= child.length;
        child = node.children[++at] as Node<T>;
      }
      node = child;
    }
    return { leaf: node, offset };
  }
}

function leafOf<T>(items: T[]): Leaf<T> {
  return { items, children: undefined, length: items.length };
}

function branchOf<T>(children: Node<T>[]): Branch<T> {
  let length = 0;
  for (const child of children) length += child.length;
  return { children, length };
}

/** Length of a new group: three quarters full, so that the next insertions find room. */
export const groupLength = (fanOut: number): number => Math.ceil((fanOut * 3) / 4);

function grouped<T>(all: readonly T[], fanOut: number): T[][] {
  const size = groupLength(fanOut);
  const groups: T[][] = [];
  for (let from = 0; from < all.length; from += size) groups.push(all.slice(from, from + size));
  return groups;
}

/** Returns the right half of the node if the node became too full. */
function insertInto<T>(node: Node<T>, index: number, item: T, fanOut: number): Node<T> | undefined {
  node.length++;
  if (node.children === undefined) {
    node.items.splice(index, 0, item);
    if (node.items.length <= fanOut) return undefined;
    const right = leafOf(node.items.splice(fanOut >> 1));
    node.length -= right.length;
    return right;
  }
  const { children } = node;
  let at = 0;
  let offset = index;
  while (offset > (children[at] as Node<T>).length) offset -= (children[at++] as Node<T>).length;
  const split = insertInto(children[at] as Node<T>, offset, item, fanOut);
  if (split === undefined) return undefined;
  children.splice(at + 1, 0, split);
  if (children.length <= fanOut) return undefined;
  const right = branchOf(children.splice(fanOut >> 1));
  node.length -= right.length;
  return right;
}

function removeFrom<T>(node: Node<T>, index: number, fanOut: number): T {
  node.length--;
  if (node.children === undefined) return node.items.splice(index, 1)[0] as T;
  const { children } = node;
  let at = 0;
  let offset = index;
  while (offset >= (children[at] as Node<T>).length) offset -= (children[at++] as Node<T>).length;
  const removed = removeFrom(children[at] as Node<T>, offset, fanOut);
  join(children, at, fanOut);
  return removed;
}

/** Merges a child that is nearly empty into its neighbour, if there is room. */
function join<T>(children: Node<T>[], at: number, fanOut: number): void {
  const child = children[at] as Node<T>;
  if (child.length === 0 && children.length > 1) {
    children.splice(at, 1);
    return;
  }
  if (sizeOf(child) > fanOut >> 2) return;
  const left = at > 0 ? at - 1 : at;
  const into = children[left];
  const from = children[left + 1];
  if (into === undefined || from === undefined || sizeOf(into) + sizeOf(from) > fanOut >> 1) return;
  if (into.children === undefined && from.children === undefined) into.items.push(...from.items);
  else if (into.children !== undefined && from.children !== undefined) into.children.push(...from.children);
  else return;
  into.length += from.length;
  children.splice(left + 1, 1);
}

const sizeOf = <T>(node: Node<T>): number => (node.children ?? node.items).length;
