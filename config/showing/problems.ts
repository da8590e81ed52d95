// Describes a problem with a key as a sentence: where the key was set, what was expected, what was found and,
// for an unknown key, the most similar known key.
import type { z } from 'zod';
import type { Problem } from '../fatal.ts';
import { ALL_KEYS, SECTIONS } from '../keys/walk.ts';
import { redact } from './redact.ts';

/** `root`: the validated value. `sourceOf`: the file or option that set a path. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  root: unknown,
  sourceOf: (path: readonly PropertyKey[]) => string | undefined,
): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => {
      const path = [...issue.path, name];
      const nearest = nearestKey(path.join('.'));
      const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
      return { path: path.join('.'), message: `unknown key${hint}${said(sourceOf(path))}` };
    });
  }
  const path = issue.path.join('.');
  // A problem within a list belongs to the key of the list.
  const key = ALL_KEYS.find((known) => path === known.path || path.startsWith(`${known.path}.`));
  const found =
    key?.url && issue.code === 'custom'
      ? issue.message
      : key?.secret || key?.url
        ? 'something else'
        : show(lookUp(root, issue.path), key === undefined);
  return [
    {
      path,
      message: `expected ${key?.expected ?? 'a map of keys'}; found ${found}${said(sourceOf(issue.path))}`,
    },
  ];
}

const said = (source: string | undefined) => (source === undefined ? '' : ` (${withoutSecret(source)})`);

/**
 * A file's name is shown unchanged. Of `--set path=value` only the path is shown, unless the key is known to
 * hold no secret.
 */
export function withoutSecret(source: string): string {
  const path = /^--set ([^=]*)=/.exec(source)?.[1]?.trim();
  if (path === undefined) return source;
  const known = ALL_KEYS.find((key) => key.path === path || path.startsWith(`${key.path}.`));
  return known === undefined || known.secret || known.url ? `--set ${path}=***` : withoutUser(source);
}

function lookUp(root: unknown, path: readonly PropertyKey[]): unknown {
  let at = root;
  for (const name of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Reflect.get(at, name);
  }
  return at;
}

function show(value: unknown, isSection: boolean): string {
  if (value === undefined || value === null) return 'nothing';
  // Text in the place of a map of keys may be a misplaced secret.
  if (isSection && typeof value === 'string') return 'text';
  const text = withoutUser(typeof value === 'bigint' ? String(value) : JSON.stringify(value));
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Text before an @ may be a user and a password, even if the key takes host:port and no URL. */
const withoutUser = (text: string): string =>
  redact(text).replace(/(?<![^\s",=[\]{}])[^\s",=[\]{}]*(?<!\*\*\*)@/g, '***@');

/** The most similar known key. Undefined if none is similar. */
export function nearestKey(path: string): string | undefined {
  const known = [...ALL_KEYS.map((key) => key.path), ...SECTIONS];
  const last = (text: string) => text.slice(text.lastIndexOf('.') + 1).toLowerCase();
  // A key in the wrong section is as likely as a typing error.
  const moved = known.find((candidate) => last(candidate) === last(path));
  if (moved !== undefined) return moved;
  return nearest(path, known);
}

/** The name with the least difference from `name`, of at most a quarter of its letters, ignoring case. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (best === undefined || distance < best.distance) best = { name: candidate, distance };
  }
  return best !== undefined && best.distance <= Math.ceil(name.length / 4) ? best.name : undefined;
}

/** Levenshtein distance: insertions, removals and replacements each count 1. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
