// RFC 6902 in its plainest form, apart from all code of the kind `json`: the property tests ask it how far a patch
// applies to a document. Tests are not evaluated, because the server evaluates them when the patch commits.
import type { Json } from '../../../protocol/messages.ts';

type Step = { readonly op: string; readonly path: string; readonly from?: string; readonly value?: Json };

/** The number of steps that apply to `document`, each on the result of the ones before. */
export function stepsThatApply(document: Json, patch: readonly Step[]): number {
  const holder: { root: Json } = { root: document };
  let steps = 0;
  try {
    for (; steps < patch.length; steps++) apply(holder, patch[steps] as Step);
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
  }
  return steps;
}

class Wrong extends Error {}

function apply(holder: { root: Json }, { op, path, from = '', value = null }: Step): void {
  switch (op) {
    case 'test':
      tokensOf(path).reduce<Json | undefined>((at, token) => {
        if (Array.isArray(at) && token !== '-' && !/^(0|[1-9]\d*)$/.test(token)) throw new Wrong();
        return member(at, token);
      }, holder.root);
      return;
    case 'add':
      put(holder, path, structuredClone(value));
      return;
    case 'replace':
      if (path === '') holder.root = structuredClone(value);
      else {
        const [parent, token] = find(holder, path);
        if (Array.isArray(parent)) parent[Number(token)] = structuredClone(value);
        else Object.defineProperty(parent, token, { ...OWN, value: structuredClone(value) });
      }
      return;
    case 'remove':
      takeOut(holder, path);
      return;
    case 'copy':
      put(holder, path, structuredClone(read(holder, from)));
      return;
    case 'move':
      put(holder, path, takeOut(holder, from));
      return;
    default:
      throw new Error(`${op} is no operation`);
  }
}

const OWN = { writable: true, enumerable: true, configurable: true };

const tokensOf = (path: string): string[] =>
  path
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));

function member(at: Json | undefined, token: string): Json | undefined {
  if (Array.isArray(at)) return /^(0|[1-9]\d*)$/.test(token) ? at[Number(token)] : undefined;
  return typeof at === 'object' && at !== null && Object.hasOwn(at, token) ? at[token] : undefined;
}

/** The container of a value that is there, and its last token. */
function find(
  holder: { root: Json },
  path: string,
): [parent: Json[] | { [key: string]: Json }, token: string] {
  const tokens = tokensOf(path);
  const token = tokens.pop() ?? '';
  const parent = tokens.reduce<Json | undefined>(member, holder.root);
  if (typeof parent !== 'object' || parent === null || member(parent, token) === undefined) throw new Wrong();
  return [parent, token];
}

function read(holder: { root: Json }, path: string): Json {
  const [parent, token] = find(holder, path);
  return member(parent, token) ?? null;
}

function takeOut(holder: { root: Json }, path: string): Json {
  const [parent, token] = find(holder, path);
  const value = member(parent, token) ?? null;
  if (Array.isArray(parent)) parent.splice(Number(token), 1);
  else delete parent[token];
  return value;
}

function put(holder: { root: Json }, path: string, value: Json): void {
  if (path === '') {
    holder.root = value;
    return;
  }
  const tokens = tokensOf(path);
  const token = tokens.pop() ?? '';
  const parent = tokens.reduce<Json | undefined>(member, holder.root);
  if (typeof parent !== 'object' || parent === null) throw new Wrong();
  if (!Array.isArray(parent)) {
    Object.defineProperty(parent, token, { ...OWN, value });
    return;
  }
  const index = token === '-' ? parent.length : /^(0|[1-9]\d*)$/.test(token) ? Number(token) : -1;
  if (index < 0 || index > parent.length) throw new Wrong();
  parent.splice(index, 0, value);
}
