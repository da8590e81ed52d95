// The working form of a JSON Patch: steps whose pointers are lists of tokens. Owns the meaning of a token
// and the reading and writing of pointers; never looks at a document.
//
// A number is an index of a container that is known to be a list. A string is the member of an object, or a
// token whose container has not been looked up (`JsonOp.known` tells which of the two).
import type { Json } from '../../protocol/messages.ts';

export type Token = string | number;
export type Pointer = readonly Token[];

export interface AddStep {
  readonly op: 'add';
  readonly path: Pointer;
  readonly value: Json;
  /** The author wrote `-`, and `path` has the resolved number. On the wire the token is `-` again. */
  readonly end?: true;
}
export interface ReplaceStep {
  readonly op: 'replace';
  readonly path: Pointer;
  readonly value: Json;
}
export interface RemoveStep {
  readonly op: 'remove';
  readonly path: Pointer;
}
/** The `path` of a move is a place in the document without the value at `from`, as in RFC 6902. */
export interface TransferStep {
  readonly op: 'move' | 'copy';
  readonly from: Pointer;
  readonly path: Pointer;
  readonly end?: true;
}
export interface TestStep {
  readonly op: 'test';
  readonly path: Pointer;
  readonly value: Json;
  /** The target of the test is gone. The test fails for any value that stands there now. */
  readonly never?: true;
}
export type Step = AddStep | ReplaceStep | RemoveStep | TransferStep | TestStep;

export interface JsonOp {
  readonly steps: readonly Step[];
  /** Every token is classified: numbers are list indices, strings are members. */
  readonly known: boolean;
}

/** The index of `-`: after every element. */
export const END = Number.POSITIVE_INFINITY;

const INDEX = /^(?:0|[1-9]\d{0,9})$/;

/** The list index of a token. END for `-`, -1 if the token is not an index (`01`, `x`). */
export function toIndex(token: Token | undefined): number {
  if (typeof token === 'number') return token;
  if (token === undefined) return -1;
  if (token === '-') return END;
  return INDEX.test(token) ? Number(token) : -1;
}

const INDEX_OF_ANY_SIZE = /^(?:0|[1-9]\d*)$/;

/** True if a token can not name a place of a list of any length: `01`, `+0`, `x`. */
export const isNoIndex = (token: Token): boolean =>
  typeof token === 'string' && token !== '-' && !INDEX_OF_ANY_SIZE.test(token);

/** True for a token whose meaning depends on its container. */
export const isAmbiguous = (token: Token): boolean => token === '-' || toIndex(token) >= 0;

const BAD_ESCAPE = /~(?![01])/;

/** The tokens of an RFC 6901 pointer. Undefined if the text is not a pointer. */
export function readPointer(text: string): string[] | undefined {
  if (text === '') return [];
  if (text.charCodeAt(0) !== 47) return undefined;
  const tokens = text.slice(1).split('/');
  if (!text.includes('~')) return tokens;
  if (BAD_ESCAPE.test(text)) return undefined;
  return tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export function writePointer(pointer: Pointer): string {
  let text = '';
  for (const token of pointer) text += `/${escapeToken(token)}`;
  return text;
}

export function escapeToken(token: Token): Token {
  if (typeof token === 'number' || !(token.includes('~') || token.includes('/'))) return token;
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}

export const withToken = (pointer: Pointer, depth: number, token: Token): Pointer =>
  pointer.with(depth, token);

export const sameToken = (a: Token | undefined, b: Token | undefined): boolean =>
  a === b || (typeof a !== typeof b && String(a) === String(b));

/** True if `pointer` is `ancestor` or lies inside it. */
export function within(pointer: Pointer, ancestor: Pointer): boolean {
  if (pointer.length < ancestor.length) return false;
  for (let i = 0; i < ancestor.length; i++) if (!sameToken(pointer[i], ancestor[i])) return false;
  return true;
}

export const samePointer = (a: Pointer, b: Pointer): boolean => a.length === b.length && within(a, b);

/** True if `pointer` leads into the container in which `other` ends. */
export function meets(pointer: Pointer, other: Pointer): boolean {
  const depth = other.length - 1;
  if (pointer.length <= depth) return false;
  for (let i = 0; i < depth; i++) if (!sameToken(pointer[i], other[i])) return false;
  return true;
}

/** True if `pointer` ends in a list. */
export const endsInList = (pointer: Pointer): boolean => typeof pointer.at(-1) === 'number';

/** The target as its author wrote it, with `-` where the author wrote `-`. */
export const targetOf = (step: { readonly path: Pointer; readonly end?: true }): Pointer =>
  step.end ? withToken(step.path, step.path.length - 1, '-') : step.path;
