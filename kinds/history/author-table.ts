// The authors of many versions, in little memory: versions that follow each other and have one user and one time take
// one entry. So text can name its author by a number, the version. Owns no text.
import type { Author, AuthorOrNone } from './author.ts';

/** Stands in place of a version where nobody is known. */
export const NOBODY = 0;

export class AuthorTable {
  readonly #users: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** By entry: the first version, the number of the user, and the time. */
  readonly #firsts: number[] = [];
  readonly #userOf: number[] = [];
  readonly #ats: number[] = [];
  #lastUser: string | undefined;
  #lastAt = Number.NaN;

  /** Versions are added in order. Those between two of them count as versions of the lower one. */
  add({ user, at, version }: Author): void {
    if (user === this.#lastUser && at === this.#lastAt) return;
    let number = this.#numbers.get(user);
    if (number === undefined) {
      number = this.#users.push(user) - 1;
      this.#numbers.set(user, number);
    }
    this.#firsts.push(version);
    this.#userOf.push(number);
    this.#ats.push(at);
    this.#lastUser = user;
    this.#lastAt = at;
  }

  /** The author of a version that was added. Undefined for NOBODY. */
  of(version: number): AuthorOrNone {
    const entry = this.entryOf(version);
    return entry < 0 ? undefined : { version, ...this.entry(entry) };
  }

  userOf(version: number): string | undefined {
    return this.#users[this.#userOf[this.entryOf(version)] ?? -1];
  }

  /** Entries, in the order of their versions. */
  get size(): number {
    return this.#firsts.length;
  }

  /** The number of the entry of a version. -1 for NOBODY. */
  entryOf(version: number): number {
    const firsts = this.#firsts;
    let low = 0;
    let high = firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((firsts[middle] ?? 0) <= version) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  entry(number: number): { readonly user: string; readonly at: number } {
    return { user: this.#users[this.#userOf[number] ?? 0] ?? '', at: this.#ats[number] ?? 0 };
  }

  firstOf(number: number): number {
    return this.#firsts[number] ?? 0;
  }
}
