// The form in which the authors of a document are stored: MessagePack of a table of authors, and of the runs or the
// tree that refer to it. Owns the form, and rejects bytes of another.
import type { Author, AuthorOrNone } from '../../kinds/history/author.ts';
import { AuthorTable } from '../../kinds/history/author-table.ts';
import type { JsonAuthors } from '../../kinds/history/json-authors.ts';
import type { RichTextAuthors } from '../../kinds/history/rich-text-authors.ts';
import { RunList } from '../../kinds/history/run-list.ts';
import { unpackValue } from '../../protocol/codec.ts';
import { packed } from './snapshot-job.ts';

const FORM = 1;
/** Of rich-text: entries of an AuthorTable (steps from the entry before), and runs (length, and step from the version before). */
const TEXT_FORM = 2;

/** [author, members, items]: key and node in turn, and length and node (0: none) in turn. 0 for neither. */
type Tree = readonly [author: number, members: readonly unknown[] | 0, items: readonly unknown[] | 0];

export function textAuthorsForm({ runs, table }: RichTextAuthors): Uint8Array {
  const isUsed = new Uint8Array(table.size);
  const places: number[] = [];
  let before = 0;
  for (const [length, version] of runs.runs()) {
    places.push(length, version - before);
    before = version;
    const entry = table.entryOf(version);
    if (entry >= 0) isUsed[entry] = 1;
  }
  const users = new Map<string, number>();
  const rows: number[] = [];
  let [lastFirst, lastAt] = [0, 0];
  for (let entry = 0; entry < isUsed.length; entry++) {
    if (isUsed[entry] === 0) continue;
    const { user, at } = table.entry(entry);
    const first = table.firstOf(entry);
    if (!users.has(user)) users.set(user, users.size);
    rows.push(first - lastFirst, users.get(user) ?? 0, at - lastAt);
    [lastFirst, lastAt] = [first, at];
  }
  return packed([TEXT_FORM, [...users.keys()], rows, places]);
}

/** Undefined for the form of an earlier version of Troupe. */
export function readTextAuthors(bytes: Uint8Array): RichTextAuthors | undefined {
  const [form, names, rows, places] = listOf(unpackValue(bytes));
  if (form === FORM) return undefined;
  if (form !== TEXT_FORM) throw unknownForm(form);
  const users = listOf(names);
  const table = new AuthorTable();
  const steps = listOf(rows);
  let [first, at] = [0, 0];
  for (let i = 0; i < steps.length; i += 3) {
    first += Number(steps[i]);
    at += Number(steps[i + 2]);
    table.add({ user: String(users[Number(steps[i + 1])]), at, version: first });
  }
  const runs = new RunList<number>();
  const lengths = listOf(places);
  let [index, version] = [0, 0];
  for (let i = 0; i < lengths.length; i += 2) {
    const length = Number(lengths[i]);
    version += Number(lengths[i + 1]);
    runs.insert(index, length, version);
    index += length;
  }
  return { runs, table };
}

export function jsonAuthorsForm(root: JsonAuthors): Uint8Array {
  const table = new Table();
  const treeOf = ({ author, members, items }: JsonAuthors): Tree => [
    table.numberOf(author),
    members === undefined ? 0 : [...members].flatMap(([key, node]) => [key, treeOf(node)]),
    items === undefined
      ? 0
      : [...items.runs()].flatMap(([length, node]) => [length, node === undefined ? 0 : treeOf(node)]),
  ];
  const tree = treeOf(root);
  return packed([FORM, table.users, table.rows, tree]);
}

export function readJsonAuthors(bytes: Uint8Array): JsonAuthors {
  const [authors, tree] = read(bytes);
  const nodeOf = ([author, members, items]: readonly unknown[]): JsonAuthors => {
    const node: JsonAuthors = { author: authors[Number(author)] };
    if (Array.isArray(members)) {
      node.members = new Map();
      for (let i = 0; i < members.length; i += 2)
        node.members.set(String(members[i]), nodeOf(listOf(members[i + 1])));
    }
    if (Array.isArray(items)) {
      node.items = new RunList();
      let index = 0;
      for (let i = 0; i < items.length; i += 2) {
        const length = Number(items[i]);
        node.items.insert(index, length, Array.isArray(items[i + 1]) ? nodeOf(items[i + 1]) : undefined);
        index += length;
      }
    }
    return node;
  };
  return nodeOf(tree);
}

/** Numbers for authors. 0 stands for none. */
class Table {
  readonly users: string[] = [];
  /** User, and the steps in time and version from the author before. */
  readonly rows: number[] = [];
  readonly #numbers = new Map<Author, number>();
  readonly #users = new Map<string, number>();
  #at = 0;
  #version = 0;

  numberOf(author: AuthorOrNone): number {
    if (author === undefined) return 0;
    const known = this.#numbers.get(author);
    if (known !== undefined) return known;
    let user = this.#users.get(author.user);
    if (user === undefined) {
      user = this.users.push(author.user) - 1;
      this.#users.set(author.user, user);
    }
    this.rows.push(user, author.at - this.#at, author.version - this.#version);
    this.#at = author.at;
    this.#version = author.version;
    const number = this.#numbers.size + 1;
    this.#numbers.set(author, number);
    return number;
  }
}

function read(bytes: Uint8Array): [authors: AuthorOrNone[], rest: readonly unknown[]] {
  const [form, users, rows, rest] = listOf(unpackValue(bytes));
  if (form !== FORM) throw unknownForm(form);
  const names = listOf(users);
  const steps = listOf(rows);
  const authors: AuthorOrNone[] = [undefined];
  let [at, version] = [0, 0];
  for (let i = 0; i < steps.length; i += 3) {
    at += Number(steps[i + 1]);
    version += Number(steps[i + 2]);
    authors.push({ user: String(names[Number(steps[i])]), at, version });
  }
  return [authors, listOf(rest)];
}

const unknownForm = (form: unknown): Error =>
  new Error(`stored authors have form ${String(form)}, which this version does not know`);

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('stored authors are no list');
  return value;
}
