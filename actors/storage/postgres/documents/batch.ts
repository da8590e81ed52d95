// The statement of a batch, in two fixed shapes, and its parameters. This is the hot path: it decides the
// client's and the server's CPU per patch. append.ts decides the meaning of an outcome.
//
// A row of the log is a run: a document's consecutive patches of one batch, keyed by its first version. The
// key keeps out a writer that is behind. A head is always the end of a run (committed, or loaded whole), so
// a writer's run begins where another run ends. If the log has gone on from there, it has a run with that
// first version. A run that begins inside another cannot come from a head; the proof catches that too.
import type { DeltaRow, DocumentId, SessionRef } from '../../store.ts';
import { int8Array, type Sql, TYPE } from '../connection/connect.ts';
import { runSpace, writeRun } from '../connection/run.ts';

/**
 * Made once per batch and sent again unchanged after an unknown outcome. The lists are array literals of
 * PostgreSQL. The runs' bytes go as one text in base64, because PostgreSQL reads the elements of an array
 * character by character, and hex is longer.
 */
export interface Batch {
  readonly id: number;
  /** Number of runs. */
  readonly size: number;
  readonly docs: string;
  readonly firsts: string;
  readonly lasts: string;
  readonly epochs: string;
  /** The position at which each run begins in the bytes, from 1 on, and its number of bytes. */
  readonly starts: string;
  readonly lengths: string;
  readonly packed: string;
}

/**
 * A document's run ends when its patches have this many bytes, because reading one patch reads its whole
 * run.
 */
const RUN_BYTES = 65_536;

/** Throws RefusedValue. */
export function encodeBatch(id: number, rows: readonly DeltaRow[]): Batch {
  const runs = runsOf(rows);
  const bytes = Buffer.allocUnsafe(runSpace(rows));
  let docs = '{';
  let firsts = '{';
  let lasts = '{';
  let epochs = '{';
  let starts = '{';
  let lengths = '{';
  let separator = '';
  let at = 0;
  for (const { doc, epoch, first, patches } of runs) {
    const end = writeRun(bytes, at, patches);
    docs += separator + doc;
    firsts += separator + first;
    lasts += separator + (first + patches.length - 1);
    epochs += separator + epoch;
    starts += separator + (at + 1);
    lengths += separator + (end - at);
    at = end;
    separator = ',';
  }
  return {
    id,
    size: runs.length,
    docs: `${docs}}`,
    firsts: `${firsts}}`,
    lasts: `${lasts}}`,
    epochs: `${epochs}}`,
    starts: `${starts}}`,
    lengths: `${lengths}}`,
    packed: bytes.toString('base64', 0, at),
  };
}

interface Run {
  readonly doc: DocumentId;
  readonly epoch: number;
  readonly first: number;
  readonly patches: DeltaRow[];
  bytes: number;
}

/** Groups rows into runs. Documents may alternate in a batch, but the rows of each document are in order. */
function runsOf(rows: readonly DeltaRow[]): Run[] {
  const runs: Run[] = [];
  const open = new Map<DocumentId, Run>();
  for (const row of rows) {
    const run = open.get(row.doc);
    const follows =
      run !== undefined &&
      row.version === run.first + run.patches.length &&
      row.epoch === run.epoch &&
      run.bytes < RUN_BYTES;
    if (follows) {
      run.patches.push(row);
      run.bytes += row.op.byteLength;
    } else {
      const { doc, epoch, version: first } = row;
      const next: Run = { doc, epoch, first, patches: [row], bytes: row.op.byteLength };
      open.set(doc, next);
      runs.push(next);
    }
  }
  return runs;
}

const APPEND = `WITH me AS (SELECT 1 FROM session WHERE id = $1 AND nonce = $2 AND state <> 'fenced' FOR SHARE)
INSERT INTO delta (doc, first, last, epoch, session, batch, ops)
SELECT d, f, l, e, $1, $3, substring((SELECT decode($10, 'base64')), s, n)
FROM unnest($4, $5, $6, $7, $8, $9) x(d, f, l, e, s, n)
WHERE EXISTS (SELECT 1 FROM me)`;

/** The newest run must end at the head: then the head exists, and nothing is above it. */
const APPEND_WITH_PROOF = `${APPEND} AND NOT EXISTS (SELECT 1 FROM unnest($11, $12) h(d, v)
WHERE (SELECT p.last FROM delta p WHERE p.doc = h.d ORDER BY p.first DESC LIMIT 1) IS DISTINCT FROM nullif(h.v, 0))`;

const PREPARED = { prepare: true };

/**
 * Returns the number of written runs: all of them, or 0 if the session is fenced or a head differs from the
 * log's. Fencing waits for the row lock on the session; without the lock a batch could land after the
 * fence.
 */
export async function insertBatch(
  sql: Sql,
  session: SessionRef,
  batch: Batch,
  heads: ReadonlyMap<DocumentId, number>,
): Promise<number> {
  const parameters = [
    sql.typed(session.id, TYPE.int8),
    sql.typed(session.nonce, TYPE.uuid),
    sql.typed(batch.id, TYPE.int8),
    sql.typed(batch.docs, TYPE.int8Array),
    sql.typed(batch.firsts, TYPE.int8Array),
    sql.typed(batch.lasts, TYPE.int8Array),
    sql.typed(batch.epochs, TYPE.int8Array),
    sql.typed(batch.starts, TYPE.int4Array),
    sql.typed(batch.lengths, TYPE.int4Array),
    sql.typed(batch.packed, TYPE.text),
  ];
  if (heads.size === 0) return (await sql.unsafe(APPEND, parameters, PREPARED)).count;
  parameters.push(int8Array(sql, [...heads.keys()]), int8Array(sql, [...heads.values()]));
  return (await sql.unsafe(APPEND_WITH_PROOF, parameters, PREPARED)).count;
}

/** Number of the batch's runs that are in the log under this session and batch. */
export async function countBatch(sql: Sql, session: SessionRef, batch: Batch): Promise<number> {
  const [found] = await sql<{ runs: number }[]>`
    SELECT count(*) AS runs FROM unnest(
      ${sql.typed(batch.docs, TYPE.int8Array)}, ${sql.typed(batch.firsts, TYPE.int8Array)},
      ${sql.typed(batch.lasts, TYPE.int8Array)}) x(d, f, l)
    JOIN delta p ON p.doc = x.d AND p.first = x.f AND p.last = x.l
    WHERE p.session = ${session.id} AND p.batch = ${batch.id}`;
  return found?.runs ?? 0;
}
