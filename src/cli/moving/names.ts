// How names of another server become names of documents, and the other way. Rules are tried in their order, and the
// first one that matches renames.

export interface Renaming {
  readonly pattern: RegExp;
  readonly replacement: string;
}

/** Reads `REGEX=REPLACEMENT`. Undefined if it is none. */
export function readRenaming(text: string): Renaming | undefined {
  const at = text.lastIndexOf('=');
  if (at < 1) return undefined;
  try {
    return { pattern: new RegExp(text.slice(0, at), 'u'), replacement: text.slice(at + 1) };
  } catch {
    return undefined;
  }
}

export function renamed(name: string, renamings: readonly Renaming[]): string {
  const rule = renamings.find(({ pattern }) => pattern.test(name));
  return rule === undefined ? name : name.replace(rule.pattern, rule.replacement);
}

/**
 * Notices names that lead to one target, whose documents would become one. It keeps the targets only where renaming
 * can bring that about.
 */
export class Targets {
  readonly #taken = new Map<string, string>();
  readonly #mayCollide: boolean;

  constructor(mayCollide: boolean) {
    this.#mayCollide = mayCollide;
  }

  /** The other name that has led to `target` before, if there is one. */
  take(target: string, name: string): string | undefined {
    if (!this.#mayCollide) return undefined;
    const other = this.#taken.get(target);
    if (other === undefined) this.#taken.set(target, name);
    return other === name ? undefined : other;
  }
}
