// Retention of one document, in steps of a sweep's transaction, which has the document and its session
// locked. A document's floor is its newest snapshot that is old enough and far enough behind the head.
// First `folded` is set: the kept history begins there. Then the log up to the floor is removed, then the
// clients of which nothing else is left (forget.ts), and then the document is cleared. Every version from
// the floor on stays readable, and the head always stays.
//
// Runs that are folded away whole are deleted. A run that is folded away in part keeps its row, its key and
// its later patches. So the head's run is always there: a batch proves itself by it, and a writer that is a
// batch behind meets its key.
import type { DocumentId } from '../../store.ts';
import type { Transaction } from '../connection/connect.ts';
import { countOfRun, decodeRun, encodeRun, RUN_HEADER_BYTES } from '../connection/run.ts';
import { type Forgetting, forgetClients } from './forget.ts';

/** Most runs deleted in one statement. */
const RUNS = 2_000;

export async function raiseFloor(tx: Transaction, doc: DocumentId, floor: number): Promise<void> {
  await tx`UPDATE document SET folded = ${floor} WHERE id = ${doc}`;
  await tx`DELETE FROM snapshot WHERE doc = ${doc} AND version < ${floor}`;
}

export interface Cleared {
  /** Number of removed patches and clients. */
  readonly removed: number;
  /** True if the document is not cleared yet. */
  readonly more: boolean;
}

/** Removes at most `limit` patches and clients. */
export async function clearDocument(tx: Transaction, what: Forgetting): Promise<Cleared> {
  const { doc, floor, limit } = what;
  const removed = await removeDeltas(tx, doc, floor, limit);
  if (removed > 0 && removed >= limit) return { removed, more: true };
  if (await hasDeltas(tx, doc, floor)) return { removed, more: true };
  const forgotten = await forgetClients(tx, { ...what, limit: limit - removed });
  if (forgotten > 0 && removed + forgotten >= limit) return { removed: removed + forgotten, more: true };
  await tx`UPDATE document SET cleared = ${floor} WHERE id = ${doc}`;
  return { removed: removed + forgotten, more: false };
}

/** The last version to remove. The head stays in its run. */
async function endOf(tx: Transaction, doc: DocumentId, floor: number): Promise<number> {
  const [head] = await tx<{ version: number }[]>`
    SELECT last AS version FROM delta WHERE doc = ${doc} ORDER BY first DESC LIMIT 1`;
  return Math.min(floor, (head?.version ?? 0) - 1);
}

async function hasDeltas(tx: Transaction, doc: DocumentId, floor: number): Promise<boolean> {
  const end = await endOf(tx, doc, floor);
  const [lowest] = await tx<{ last: number; header: Buffer }[]>`
    SELECT last, substring(ops, 1, ${RUN_HEADER_BYTES}::int) AS header FROM delta
    WHERE doc = ${doc} AND first <= ${end} ORDER BY first LIMIT 1`;
  return lowest !== undefined && lowest.last - countOfRun(lowest.header) + 1 <= end;
}

/** Removes patches from the bottom, so that the rest has no gap: whole runs, and the start of one. */
async function removeDeltas(tx: Transaction, doc: DocumentId, floor: number, limit: number): Promise<number> {
  const end = await endOf(tx, doc, floor);
  const runs = await tx<{ first: number; last: number; header: Buffer }[]>`
    SELECT first, last, substring(ops, 1, ${RUN_HEADER_BYTES}::int) AS header FROM delta
    WHERE doc = ${doc} AND first <= ${end} ORDER BY first LIMIT ${RUNS}`;
  let whole = 0;
  let deleteTo = 0;
  for (const { first, last, header } of runs) {
    const lowest = last - countOfRun(header) + 1;
    const patches = last - lowest + 1;
    if (last <= end && whole + patches <= limit) {
      whole += patches;
      deleteTo = first;
      continue;
    }
    const some = Math.min(end - lowest + 1, limit - whole);
    if (deleteTo > 0) await deleteRuns(tx, doc, deleteTo);
    if (some > 0) await cutRun(tx, doc, { first, last }, lowest + some);
    return whole + Math.max(some, 0);
  }
  if (deleteTo > 0) await deleteRuns(tx, doc, deleteTo);
  return whole;
}

async function deleteRuns(tx: Transaction, doc: DocumentId, to: number): Promise<void> {
  await tx`DELETE FROM delta WHERE doc = ${doc} AND first <= ${to}`;
}

/** Removes the patches below `lowest` from a run. */
async function cutRun(
  tx: Transaction,
  doc: DocumentId,
  { first, last }: { readonly first: number; readonly last: number },
  lowest: number,
): Promise<void> {
  const [run] = await tx<{ ops: Buffer }[]>`SELECT ops FROM delta WHERE doc = ${doc} AND first = ${first}`;
  if (!run) return;
  const rest = encodeRun(decodeRun(run.ops).slice(lowest - last - 1));
  await tx`UPDATE delta SET ops = ${rest} WHERE doc = ${doc} AND first = ${first}`;
}
