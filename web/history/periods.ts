// The history of a document as people remember it: periods of editing, each with its authors. Pure.
import type { NamedVersion, PastPatch } from './past.ts';

export interface Author {
  /** The user, or the client where users have no names. Equal for the edits of one author. */
  readonly key: string;
  readonly label: string;
  /** Undefined where users have no names, because the node cannot tell them apart. */
  readonly user: string | undefined;
}

export interface Period {
  readonly from: number;
  readonly to: number;
  /** ms since 1970 of its last patch */
  readonly at: number;
  readonly authors: readonly Author[];
  readonly names: readonly NamedVersion[];
}

/** A pause that ends a period. */
const PAUSE_MS = 5 * 60_000;
/** Patches of one period, so that its preview is made quickly. */
const MOST_PATCHES = 500;
/** The user of everyone with `auth.mode: none`. */
const NOBODY = 'anonymous';

export function authorOf({ user, client }: Pick<PastPatch, 'user' | 'client'>): Author {
  return user === NOBODY
    ? { key: client, label: `Visitor ${client.slice(0, 4)}`, user: undefined }
    : { key: user, label: user, user };
}

/** The periods, newest first. A named version ends its period, so that it can be chosen by itself. */
export function periodsOf(patches: readonly PastPatch[], names: readonly NamedVersion[]): readonly Period[] {
  const named = new Map<number, NamedVersion[]>();
  for (const name of names) named.set(name.version, [...(named.get(name.version) ?? []), name]);
  const periods: Period[] = [];
  let run: PastPatch[] = [];
  const end = (): void => {
    const [first, last] = [run[0], run.at(-1)];
    run = [];
    if (first === undefined || last === undefined) return;
    periods.push({
      from: first.version,
      to: last.version,
      at: last.at,
      authors: authorsOf(
        patches.filter(({ version }) => version >= first.version && version <= last.version),
      ),
      names: named.get(last.version) ?? [],
    });
  };
  for (const patch of patches) {
    const before = run.at(-1);
    if (before !== undefined && (patch.at - before.at > PAUSE_MS || run.length >= MOST_PATCHES)) end();
    run.push(patch);
    if (named.has(patch.version)) end();
  }
  end();
  return periods.reverse();
}

/** Each author once, in the order of their first patches. */
function authorsOf(patches: readonly PastPatch[]): readonly Author[] {
  return [...new Map(patches.map((patch) => [authorOf(patch).key, authorOf(patch)])).values()];
}
