// One document: its held value, its sizes, and the undoing of an application. Knows nothing of how steps
// change it.
import type { Json } from '../../protocol/messages.ts';
import {
  type Held,
  HeldMembers,
  type HeldShape,
  insertItem,
  type List,
  type Members,
  putMember,
  removeItem,
  setItem,
} from './held/held.ts';
import { type KnownSize, type Size, Sizes } from './held/sizes.ts';

export interface JsonState {
  root: Held;
  /** Bytes of `root` in JSON, counted as in value.ts. */
  bytes: number;
  /** Lists and objects in `root`. */
  containers: number;
  readonly sizes: Sizes;
  /** Number of applications so far. */
  runs: number;
}

/** A state that holds `root`. The caller gives `root` away. */
export function stateOf(root: Json, shape: HeldShape): JsonState {
  const sizes = new Sizes(shape);
  return stateWith(sizes, sizes.hold(root));
}

/** A state that holds a value whose sizes are known. */
export function stateWith(
  sizes: Sizes,
  { value, size }: { readonly value: Held; readonly size: Size },
): JsonState {
  return { root: value, bytes: size.bytes, containers: size.containers, sizes, runs: 0 };
}

/**
 * Estimated heap bytes for each list or object, and for each byte of JSON. They were set from `heapUsed`
 * before and after loading documents of many small values: a container costs less than this if it is empty,
 * and more if each object has a key of its own.
 */
const CONTAINER_BYTES = 64;
const TEXT_BYTES = 2;

/** Estimated bytes of heap for a value. */
export const memoryOf = ({ bytes, containers }: Pick<Size, 'bytes' | 'containers'>): number =>
  TEXT_BYTES * bytes + CONTAINER_BYTES * containers;

/** The undoing of one primitive edit. `old` is undefined if there was no value before. */
export type UndoEdit =
  | { readonly type: 'root'; readonly old: Held }
  | { readonly type: 'member'; readonly at: Members; readonly key: string; readonly old: Held | undefined }
  | { readonly type: 'item'; readonly at: List; readonly index: number; readonly old: Held }
  | { readonly type: 'inserted'; readonly at: List; readonly index: number }
  | { readonly type: 'removed'; readonly at: List; readonly index: number; readonly old: Held };

export interface JsonUndo {
  readonly edits: readonly UndoEdit[];
  readonly bytes: number;
  readonly containers: number;
  /** The earlier sizes of the containers that were edited. */
  readonly sizes: readonly (Size & { readonly of: KnownSize })[];
  /** Estimated bytes of memory of `edits` and of the values that only they hold. */
  readonly memory: number;
}

export function revert(state: JsonState, undo: JsonUndo): void {
  for (let i = undo.edits.length - 1; i >= 0; i--) {
    const edit = undo.edits[i];
    if (edit !== undefined) takeBack(state, edit);
  }
  for (const { of, bytes, containers, height } of undo.sizes) {
    of.bytes = bytes;
    of.containers = containers;
    of.height = height;
  }
  state.bytes = undo.bytes;
  state.containers = undo.containers;
}

function takeBack(state: JsonState, edit: UndoEdit): void {
  switch (edit.type) {
    case 'root':
      state.root = edit.old;
      return;
    case 'member':
      if (edit.old !== undefined) putMember(edit.at, edit.key, edit.old);
      else if (edit.at instanceof HeldMembers) edit.at.delete(edit.key);
      else delete edit.at[edit.key];
      return;
    case 'item':
      setItem(edit.at, edit.index, edit.old);
      return;
    case 'inserted':
      removeItem(edit.at, edit.index);
      return;
    case 'removed':
      insertItem(edit.at, edit.index, edit.old);
      return;
    default:
      edit satisfies never;
  }
}
