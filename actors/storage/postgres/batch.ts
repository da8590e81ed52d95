// The statement of a batch, in two fixed shapes, and its parameters. The hot path: the client's and the
// server's CPU per row is decided here. What an outcome means is append.ts's.
import type { DeltaRow, DocumentId, SessionRef } from '../store.ts';
import { int8Array, type Sql, TYPE, textElement } from './connect.ts';

/** Rows as array literals of PostgreSQL, made once per batch and sent again unchanged after an unknown outcome. */
export interface Batch {
  readonly id: number;
  readonly size: number;
  readonly docs: string;
  readonly versions: string;
  readonly epochs: string;
  readonly seqs: string;
  readonly clients: string;
  readonly users: string;
  readonly ops: string;
}

export function encodeBatch(id: number, rows: readonly DeltaRow[]): Batch {
  let docs = '{';
  let versions = '{';
  let epochs = '{';
  let seqs = '{';
  let clients = '{';
  let users = '{';
  let ops = '{';
  let separator = '';
  for (const row of rows) {
    docs += separator + row.doc;
    versions += separator + row.version;
    epochs += separator + row.epoch;
    seqs += separator + row.seq;
    clients += separator + textElement(row.client);
    users += separator + textElement(row.user);
    ops += `${separator}\\\\x${hex(row.op)}`;
    separator = ',';
  }
  return {
    id,
    size: rows.length,
    docs: `${docs}}`,
    versions: `${versions}}`,
    epochs: `${epochs}}`,
    seqs: `${seqs}}`,
    clients: `${clients}}`,
    users: `${users}}`,
    ops: `${ops}}`,
  };
}

const APPEND = `WITH me AS (SELECT 1 FROM session WHERE id = $1 AND nonce = $2 AND state <> 'fenced' FOR SHARE)
INSERT INTO delta (doc, version, epoch, session, batch, seq, client, usr, op)
SELECT d, v, e, $1, $3, q, c, u, o FROM unnest($4, $5, $6, $7, $8, $9, $10) x(d, v, e, q, c, u, o)
WHERE EXISTS (SELECT 1 FROM me)`;

const APPEND_WITH_PROOF = `${APPEND} AND NOT EXISTS (SELECT 1 FROM unnest($11, $12) h(d, v) WHERE h.v > 0
AND NOT EXISTS (SELECT 1 FROM delta p WHERE p.doc = h.d AND p.version = h.v))`;

const PREPARED = { prepare: true };

/**
 * Rows written: all, or 0 where the session is fenced or a predecessor is missing. The row lock on the
 * session is what fencing waits for; without it a batch lands after the fence.
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
    sql.typed(batch.versions, TYPE.int8Array),
    sql.typed(batch.epochs, TYPE.int8Array),
    sql.typed(batch.seqs, TYPE.int8Array),
    sql.typed(batch.clients, TYPE.textArray),
    sql.typed(batch.users, TYPE.textArray),
    sql.typed(batch.ops, TYPE.byteaArray),
  ];
  if (heads.size === 0) return (await sql.unsafe(APPEND, parameters, PREPARED)).count;
  parameters.push(int8Array(sql, [...heads.keys()]), int8Array(sql, [...heads.values()]));
  return (await sql.unsafe(APPEND_WITH_PROOF, parameters, PREPARED)).count;
}

/** Of the batch's rows those that are in the log under this session and batch. */
export async function countBatch(sql: Sql, session: SessionRef, batch: Batch): Promise<number> {
  const [found] = await sql<{ rows: number }[]>`
    SELECT count(*) AS rows FROM unnest(
      ${sql.typed(batch.docs, TYPE.int8Array)}, ${sql.typed(batch.versions, TYPE.int8Array)}) x(d, v)
    JOIN delta p ON p.doc = x.d AND p.version = x.v
    WHERE p.session = ${session.id} AND p.batch = ${batch.id}`;
  return found?.rows ?? 0;
}

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
