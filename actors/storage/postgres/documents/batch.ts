// The statement of a batch, in a few fixed shapes, and its parameters. This is the hot path: it decides the
// client's and the server's CPU per patch. append.ts decides the meaning of an outcome.
//
// A row of the log is a run: a document's consecutive patches of one batch, keyed by its first version. The
// key keeps out a writer that is behind. A head is always the end of a run (committed, or loaded whole), so
// a writer's run begins where another run ends. If the log has gone on from there, it has a run with that
// first version. A run that begins inside another cannot come from a head; the proof catches that too.
import type { DeltaRow, DocumentId, SessionRef } from '../../store.ts';
import { int8Array, type Sql, TYPE } from '../connection/connect.ts';
import { RefusedValue, runSpace, writeRun } from '../connection/run.ts';
import type { Mark } from './marks.ts';

/**
 * Made once per batch and sent again unchanged after an unknown outcome. The lists are array literals of
 * PostgreSQL. The runs' bytes go as one text in base64, because PostgreSQL reads the elements of an array
 * character by character, and hex is longer.
 */
export interface Batch {
  readonly id: number;
  /** Number of runs. */
  readonly size: number;
  /** The first version of each document. */
  readonly from: ReadonlyMap<DocumentId, number>;
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
  const from = new Map<DocumentId, number>();
  let docs = '{';
  let firsts = '{';
  let lasts = '{';
  let epochs = '{';
  let starts = '{';
  let lengths = '{';
  let separator = '';
  let at = 0;
  for (const { doc, epoch, first, patches } of runs) {
    // The log has no constraint of its own for this.
    if (!(first > 0)) throw new RefusedValue('22003', `version ${first} is out of range`);
    const end = writeRun(bytes, at, patches);
    if (!from.has(doc)) from.set(doc, first);
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
    from,
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

/** The marks of a batch (marks.ts). */
export interface BatchMarks {
  readonly number: number;
  readonly marks: readonly Mark[];
  /** Time after which the change of a document that is marked now is told. */
  readonly dueMs: number;
}

/** The statements of a batch. Each is prepared once on a connection. */
const STATEMENTS = new Map<string, string>();

/**
 * The newest run of a document that is proved must end at the head: then the head exists, and nothing is above it. A
 * mark of a batch that then writes nothing is harmless: the version has not changed.
 */
function statement(isMarked: boolean, hasMarks: boolean, hasProof: boolean): string {
  const key = `${isMarked} ${hasMarks} ${hasProof}`;
  const known = STATEMENTS.get(key);
  if (known !== undefined) return known;
  let last = 10;
  const next = (): string => `$${++last}`;
  const marks = isMarked ? ` AND marks = ${next()}` : '';
  const mark = hasMarks
    ? `,
marked AS (INSERT INTO change (doc, session, told, due)
  SELECT d, $1, b, clock_timestamp() + ${next()} * interval '1 ms' FROM unnest(${next()}, ${next()}) m(d, b)
  WHERE EXISTS (SELECT 1 FROM me)
  ON CONFLICT (doc) DO UPDATE SET session = EXCLUDED.session, due = least(change.due, EXCLUDED.due))`
    : '';
  const proof = hasProof
    ? ` AND NOT EXISTS (SELECT 1 FROM unnest(${next()}, ${next()}) h(d, v)
WHERE (SELECT p.last FROM delta p WHERE p.doc = h.d ORDER BY p.first DESC LIMIT 1) IS DISTINCT FROM nullif(h.v, 0))`
    : '';
  const text = `WITH me AS (SELECT 1 FROM session WHERE id = $1 AND nonce = $2 AND state <> 'fenced'${marks} FOR SHARE)${mark}
INSERT INTO delta (doc, first, last, epoch, session, batch, ops)
SELECT d, f, l, e, $1, $3, substring((SELECT decode($10, 'base64')), s, n)
FROM unnest($4, $5, $6, $7, $8, $9) x(d, f, l, e, s, n)
WHERE EXISTS (SELECT 1 FROM me)${proof}`;
  STATEMENTS.set(key, text);
  return text;
}

const PREPARED = { prepare: true };

/**
 * Returns the number of written runs: all of them, or 0 if the session is fenced, if marks of it were taken away since
 * `marks.number`, or if a head differs from the log's. Fencing and taking marks away wait for the row lock on the
 * session; without the lock a batch could land behind them. `marks` is undefined where events are switched off.
 */
export async function insertBatch(
  sql: Sql,
  session: SessionRef,
  batch: Batch,
  heads: ReadonlyMap<DocumentId, number>,
  marks?: BatchMarks,
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
  const list = marks?.marks ?? [];
  if (marks !== undefined) parameters.push(sql.typed(marks.number, TYPE.int8));
  if (marks !== undefined && list.length > 0)
    parameters.push(
      sql.typed(marks.dueMs, TYPE.int8),
      int8Array(
        sql,
        list.map(({ doc }) => doc),
      ),
      int8Array(
        sql,
        list.map(({ before }) => before),
      ),
    );
  if (heads.size > 0) parameters.push(int8Array(sql, [...heads.keys()]), int8Array(sql, [...heads.values()]));
  const text = statement(marks !== undefined, list.length > 0, heads.size > 0);
  return (await sql.unsafe(text, parameters, PREPARED)).count;
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
