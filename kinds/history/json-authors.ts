// The author of each value of a json document: patch after patch is folded into a tree that follows the
// document's values. Owns no value: a node stands for a value and all in it that has no node of its own. Pure.
//
// The author of a value is the user who put it there. A value that is moved keeps its authors.
import type { PlacedStep } from '../json/places.ts';
import type { Pointer, Token } from '../json/step.ts';
import { escapeToken } from '../json/step.ts';
import type { Author, AuthorOrNone } from './author.ts';
import { shown } from './rich-text-authors.ts';
import { RunList } from './run-list.ts';

/** Undefined among the items stands for an element that has the author of its list. */
type Item = JsonAuthors | undefined;

export interface JsonAuthors {
  author: AuthorOrNone;
  /** Members whose author differs, or in which one differs. */
  members?: Map<string, JsonAuthors>;
  /** The elements. The list is longer than the document's list, whose length is not known here. */
  items?: RunList<Item>;
}

/** Longer than any list. It leaves room for exact sums. */
const ENDLESS = 2 ** 50;

/** The authors of a document of which nothing is known, or of a new one. */
export const unknownValue = (): JsonAuthors => ({ author: undefined });

/** Folds the next committed patch and returns the root. Throws if the patch was not classified. */
export function foldJsonAuthor(
  root: JsonAuthors,
  op: { readonly steps: readonly PlacedStep[] },
  author: AuthorOrNone,
): JsonAuthors {
  let node = root;
  for (const step of op.steps) node = foldStep(node, step, author);
  return node;
}

function foldStep(root: JsonAuthors, step: PlacedStep, author: AuthorOrNone): JsonAuthors {
  switch (step.op) {
    case 'test':
      return root;
    case 'add':
    case 'copy':
      return put(root, step.path, { author });
    case 'replace': {
      const token = step.path.at(-1);
      if (token === undefined) return { author };
      const container = nodeAt(root, step.path.slice(0, -1));
      if (typeof token === 'number') itemsOf(container).set(token, { author });
      else membersOf(container).set(token, { author });
      return root;
    }
    case 'remove':
      take(root, step.path);
      return root;
    case 'move':
      return put(root, step.path, take(root, step.from));
    default:
      return step satisfies never;
  }
}

function put(root: JsonAuthors, path: Pointer, node: JsonAuthors): JsonAuthors {
  const token = path.at(-1);
  if (token === undefined) return node;
  const container = nodeAt(root, path.slice(0, -1));
  if (typeof token === 'number') itemsOf(container).insert(token, 1, node);
  else membersOf(container).set(token, node);
  return root;
}

function take(root: JsonAuthors, path: Pointer): JsonAuthors {
  const token = path.at(-1);
  if (token === undefined) return root;
  const container = nodeAt(root, path.slice(0, -1));
  const node = childOf(container, token);
  if (typeof token === 'number') itemsOf(container).remove(token, 1);
  else container.members?.delete(token);
  return node ?? { author: container.author };
}

function nodeAt(root: JsonAuthors, path: Pointer): JsonAuthors {
  let node = root;
  for (const token of path) {
    let child = childOf(node, token);
    if (child === undefined) {
      child = { author: node.author };
      if (typeof token === 'number') itemsOf(node).set(token, child);
      else membersOf(node).set(token, child);
    }
    node = child;
  }
  return node;
}

const childOf = (node: JsonAuthors, token: Token): JsonAuthors | undefined =>
  typeof token === 'number' ? node.items?.at(token) : node.members?.get(token);

function membersOf(node: JsonAuthors): Map<string, JsonAuthors> {
  node.members ??= new Map();
  return node.members;
}

function itemsOf(node: JsonAuthors): RunList<Item> {
  if (node.items === undefined) {
    node.items = new RunList();
    node.items.insert(0, ENDLESS, undefined);
  }
  return node.items;
}

export type AuthorsByPointer = Readonly<Record<string, ReturnType<typeof shown> | null>>;

/**
 * The author of each value by its pointer. A value that is not listed has the author of the value around it;
 * the root always is listed. Null: not known.
 */
export function authoredValues(root: JsonAuthors): AuthorsByPointer {
  const out: [string, ReturnType<typeof shown> | null][] = [];
  const visit = (node: JsonAuthors, pointer: string, around: AuthorOrNone | null): void => {
    if (node.author !== around) out.push([pointer, node.author === undefined ? null : shown(node.author)]);
    for (const [key, child] of node.members ?? [])
      visit(child, `${pointer}/${escapeToken(key)}`, node.author);
    let index = 0;
    for (const [length, item] of node.items?.runs() ?? []) {
      if (item !== undefined) visit(item, `${pointer}/${index}`, node.author);
      index += length;
    }
  };
  visit(root, '', null);
  return Object.fromEntries(out);
}

export type { Author };
