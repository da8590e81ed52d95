// Writes a snapshot, and with it what its deltas say about the clients' seqs, in one statement: a
// snapshot that exists has its seqs, so the deltas below it may go.
import { type DocumentId, type Epoch, PAIRS, type SessionRef } from '../store.ts';
import { int8Array, type Sql, textArray } from './connect.ts';
import { keptLog } from './history.ts';

/** false: the session is fenced, the log has no such version of that epoch, or `previous` is not the newest snapshot. */
export async function writeSnapshot(
  sql: Sql,
  session: SessionRef,
  doc: DocumentId,
  version: number,
  epoch: Epoch,
  previous: number,
  state: Uint8Array,
): Promise<boolean> {
  // Read before the statement: deltas above the newest snapshot do not change and are not folded away, and
  // whether `previous` is still the newest the statement sees itself.
  const { complete, clients } = await seqsBetween(sql, doc, previous, version);
  const [row] = await sql<{ written: boolean }[]>`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state <> 'fenced' FOR SHARE),
    newest AS (SELECT coalesce(max(version), 0) AS version FROM snapshot WHERE doc = ${doc}),
    made AS (
      INSERT INTO snapshot (doc, version, state) SELECT ${doc}::bigint, ${version}::bigint, ${state}::bytea
      WHERE ${complete}::boolean AND EXISTS (SELECT 1 FROM me)
        AND EXISTS (SELECT 1 FROM newest n WHERE n.version = ${previous} AND n.version < ${version})
        AND (SELECT last >= ${version} AND epoch = ${epoch} FROM delta
          WHERE doc = ${doc} AND first <= ${version} ORDER BY first DESC LIMIT 1)
      ON CONFLICT DO NOTHING RETURNING 1),
    seqs AS (
      INSERT INTO client_seq AS k (doc, client, last_seq, seqs, versions)
      SELECT ${doc}::bigint, c, l, s::bigint[], v::bigint[]
      FROM unnest(
        ${textArray(sql, [...clients.keys()])},
        ${int8Array(
          sql,
          [...clients.values()].map(({ lastSeq }) => lastSeq),
        )},
        ${textArray(
          sql,
          [...clients.values()].map(({ seqs }) => latest(seqs)),
        )},
        ${textArray(
          sql,
          [...clients.values()].map(({ versions }) => latest(versions)),
        )}) x(c, l, s, v)
      WHERE EXISTS (SELECT 1 FROM made) ORDER BY c
      ON CONFLICT (doc, client) DO UPDATE SET
        last_seq = greatest(k.last_seq, EXCLUDED.last_seq), at = now(),
        seqs = (EXCLUDED.seqs || k.seqs)[1:${PAIRS}::int],
        versions = (EXCLUDED.versions || k.versions)[1:${PAIRS}::int])
    SELECT EXISTS (SELECT 1 FROM me)
      AND (EXISTS (SELECT 1 FROM made) OR (SELECT n.version FROM newest n) >= ${version}) AS written`;
  return row?.written ?? false;
}

/** Oldest first. */
interface ClientSeqs {
  lastSeq: number;
  readonly seqs: number[];
  readonly versions: number[];
}

/** Of each client in (after, upTo] at least its latest pairs. `complete`: the log has all versions between. */
async function seqsBetween(
  sql: Sql,
  doc: DocumentId,
  after: number,
  upTo: number,
): Promise<{ complete: boolean; clients: ReadonlyMap<string, ClientSeqs> }> {
  const clients = new Map<string, ClientSeqs>();
  let head = after;
  for await (const deltas of keptLog(sql, doc, after, upTo)) {
    for (const { version, client, seq } of deltas) {
      if (version !== head + 1) return { complete: false, clients };
      head = version;
      const known = clients.get(client);
      if (known === undefined) {
        clients.set(client, { lastSeq: seq, seqs: [seq], versions: [version] });
        continue;
      }
      known.lastSeq = Math.max(known.lastSeq, seq);
      known.seqs.push(seq);
      known.versions.push(version);
    }
  }
  return { complete: head === upTo, clients };
}

/** As an int8[], newest first. */
const latest = (numbers: readonly number[]): string => `{${numbers.slice(-PAIRS).reverse().join()}}`;
