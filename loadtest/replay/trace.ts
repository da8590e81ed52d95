// Recorded editing traces (the `editing-traces` collection): reads and checks both of its formats, and
// converts them into one. Owns the file format; trace-plan.ts decides the order of sending.
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { UsageError } from '../command-line/cli-options.ts';

/** Position and number of deleted characters in Unicode code points, and the text inserted there. */
export type TracePatch = readonly [position: number, deleted: number, inserted: string];

/** Patches that one author made at once, each on the result of the one before. */
export interface TraceTxn {
  readonly agent: number;
  /** Indices of transactions that the author had seen; all transactions that those had seen count too. */
  readonly parents: readonly number[];
  readonly patches: readonly TracePatch[];
}

export interface Trace {
  readonly txns: readonly TraceTxn[];
  readonly agents: number;
  /** Undefined: it is not known, as for the beginning of a trace. */
  readonly endContent: string | undefined;
}

/** The first transactions of a trace. */
export function beginningOf(trace: Trace, transactions: number): Trace {
  if (transactions >= trace.txns.length) return trace;
  return { ...trace, txns: trace.txns.slice(0, transactions), endContent: undefined };
}

/** Longest text one submit carries, UTF-16 units: its frame stays far below `opBytes` in every encoding. */
const PIECE_UNITS = 20_000;

/** Reads a `.json` or `.json.gz` file. Rejects with UsageError if it is not a trace. */
export async function readTrace(path: string): Promise<Trace> {
  try {
    return parseTrace(await readTraceFile(path));
  } catch (error) {
    throw new UsageError(`${path} is no trace: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The value in a `.json` or `.json.gz` file. */
export async function readTraceFile(path: string): Promise<unknown> {
  const bytes = await readFile(path);
  const zipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return JSON.parse((zipped ? await promisify(gunzip)(bytes) : bytes).toString('utf8'));
}

/**
 * Converts either format: a sequential trace becomes one agent whose transactions follow each other,
 * `startContent` becomes the first transaction, and long insertions are cut into several.
 */
export function parseTrace(value: unknown): Trace {
  const file = record(value, 'the trace');
  if (!Array.isArray(file.txns)) throw new Error('the trace has no list `txns`');
  if (typeof file.endContent !== 'string') throw new Error('the trace has no text `endContent`');
  const start = typeof file.startContent === 'string' ? file.startContent : '';
  const builder = new TraceBuilder();
  if (start !== '') builder.add(0, [], [[0, 0, start]]);
  const offset = builder.indexOfLast.length;
  let agents = 1;
  for (const [index, raw] of file.txns.entries()) {
    const txn = record(raw, `txns[${index}]`);
    const agent = typeof txn.agent === 'number' ? txn.agent : 0;
    agents = Math.max(agents, agent + 1);
    const parents = Array.isArray(txn.parents)
      ? txn.parents.map((parent) => earlier(parent, index) + offset)
      : index > 0
        ? [index - 1 + offset]
        : [];
    if (parents.length === 0 && offset > 0) parents.push(0);
    builder.add(agent, parents, patchesOf(txn.patches, index));
  }
  return { txns: builder.txns, agents, endContent: file.endContent };
}

/** The text before the document's final newline is the trace's text. */
export const withoutFinalNewline = (text: string): string => (text.endsWith('\n') ? text.slice(0, -1) : text);

class TraceBuilder {
  readonly txns: TraceTxn[] = [];
  /** Transaction of the file -> the last transaction made of it. */
  readonly indexOfLast: number[] = [];

  add(agent: number, parents: readonly number[], patches: readonly TracePatch[]): void {
    let seen = parents.map((parent) => at(this.indexOfLast, parent));
    for (const piece of pieces(patches)) {
      this.txns.push({ agent, parents: seen, patches: piece });
      seen = [this.txns.length - 1];
    }
    this.indexOfLast.push(this.txns.length - 1);
  }
}

/** The same edits, as lists of patches whose inserted text stays within PIECE_UNITS each; at least one list. */
function pieces(patches: readonly TracePatch[]): TracePatch[][] {
  const lists: TracePatch[][] = [[]];
  let units = 0;
  const put = (patch: TracePatch) => {
    if (units + patch[2].length > PIECE_UNITS && units > 0) {
      lists.push([]);
      units = 0;
    }
    units += patch[2].length;
    lists.at(-1)?.push(patch);
  };
  for (const [position, deleted, inserted] of patches) {
    if (inserted.length <= PIECE_UNITS) {
      put([position, deleted, inserted]);
      continue;
    }
    const points = [...inserted];
    const step = PIECE_UNITS / 2;
    for (let from = 0; from < points.length; from += step) {
      put([position + from, from === 0 ? deleted : 0, points.slice(from, from + step).join('')]);
    }
  }
  return lists;
}

function patchesOf(value: unknown, index: number): TracePatch[] {
  if (!Array.isArray(value)) throw new Error(`txns[${index}] has no patches`);
  return value.map((raw) => {
    const [position, deleted, inserted] = Array.isArray(raw) ? raw : [];
    if (!isCount(position) || !isCount(deleted) || typeof inserted !== 'string') {
      throw new Error(`txns[${index}] has a patch that is not [position, deleted, inserted]`);
    }
    return [position, deleted, inserted];
  });
}

function earlier(parent: unknown, index: number): number {
  if (!isCount(parent) || parent >= index)
    throw new Error(`txns[${index}] has a parent that does not come before it`);
  return parent;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error(`${what} is not an object`);
  return value as Record<string, unknown>;
}

function at(list: readonly number[], index: number): number {
  const found = list[index];
  if (found === undefined) throw new RangeError(`no transaction ${index}`);
  return found;
}
