// Reads a document's whole log, both as any client can (a subscription since version 0) and directly from the
// database. Read-only; judges nothing.
import postgres from 'postgres';
import { BareClient, type BareClientOptions } from '../clients/bare-client.ts';
import type { DocumentLog, LogRow, StoredRow } from './checker.ts';

/**
 * The logs of documents over one socket: each is opened once for its history and version, and again since 0.
 * Rejects if the patches are no longer kept from the beginning.
 */
export async function readLogs(
  options: Omit<BareClientOptions, 'client' | 'encoding'>,
  docs: readonly string[],
): Promise<DocumentLog[]> {
  const client = new BareClient({ ...options, client: `log-${suffix(options.random)}`, encoding: 'msgpack' });
  await client.connect();
  try {
    const logs: DocumentLog[] = [];
    for (const doc of docs) logs.push(await readLog(client, doc));
    return logs;
  } finally {
    client.stop();
  }
}

async function readLog(client: BareClient, doc: string): Promise<DocumentLog> {
  const head = client.open(doc);
  await head.opened();
  const { version, history, kind } = head;
  if (kind === undefined) throw new Error(`${doc} has no kind`);
  const streams = () => client.recorder.records().find((record) => record.doc === doc)?.streams ?? [];
  // Commits may have come since: the snapshot is that of the version at which its stream begins.
  const opening = streams().at(-1);
  await closed(client, head);
  const reader = client.open(doc, { since: { version: 0, history } });
  await reader.opened();
  await reader.until(version);
  const stream = streams().at(-1);
  if (stream === undefined || stream.from !== 0) throw new Error(`${doc} is not kept from version 1 on`);
  const rows: LogRow[] = stream.ops.map((entry, place) => ({ ...entry, version: place + 1 }));
  await closed(client, reader);
  const snapshots =
    opening?.snapshot === undefined ? [] : [{ version: opening.from, content: opening.snapshot }];
  return { doc, history, kind, rows, snapshots };
}

/** Waits until the server confirms the end of a subscription; only then may the next begin. */
function closed(client: BareClient, document: ReturnType<BareClient['open']>): Promise<void> {
  const over = document.closed();
  document.close();
  return client.live ? over : Promise.resolve();
}

/** Adds the rows of the database. `history` on the wire is the document's id in base 36. */
export async function readStored(url: string, logs: readonly DocumentLog[]): Promise<DocumentLog[]> {
  const sql = postgres(url, { max: 1, types: { bigint: BIGINT }, onnotice: () => undefined });
  try {
    const complete: DocumentLog[] = [];
    for (const log of logs) {
      const id = Number.parseInt(log.history, 36);
      const [document] = await sql<{ shard: number }[]>`select shard from document where id = ${id}`;
      if (document === undefined) throw new Error(`the database has no document ${log.doc} (${id})`);
      const rows = await sql<StoredRow[]>`
        select version, client, seq, epoch, session::text from patch where doc = ${id} order by version`;
      complete.push({ ...log, stored: { shard: document.shard, rows } });
    }
    return complete;
  } finally {
    await sql.end();
  }
}

/** Versions, seqs and epochs are below 2^53. */
const BIGINT = { to: 20, from: [20], serialize: (value: number) => String(value), parse: Number };

const suffix = (random: () => number) =>
  Math.floor(random() * 36 ** 8)
    .toString(36)
    .padStart(8, '0');
