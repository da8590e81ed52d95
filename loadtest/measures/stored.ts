// Measures the space that edits take in PostgreSQL: each workload edits one document of a node with a
// database of its own, one edit at a time as a person does, lets it go idle, and then asks the database for
// bytes. It judges nothing.
import postgres from 'postgres';
import * as Y from 'yjs';
import type { KindName, Wire } from '../../protocol/messages.ts';
import { BareClient } from '../clients/bare-client.ts';
import { type Random, seededRandom } from '../clients/random-edits.ts';
import { NodeProcess } from '../nodes/node-process.ts';
import { withDataDirectory } from '../nodes/temporary-node.ts';
import type { Trace } from '../replay/trace.ts';

export interface StoredOptions {
  readonly trace: Trace;
  /** Edits of each workload but `visits`. */
  readonly edits: number;
  /** Entry point of the build to measure; default: this one. */
  readonly main?: string;
  /** Aborted: the workload under way rejects with the reason. */
  readonly signal?: AbortSignal;
}

export interface Stored {
  readonly workload: WorkloadName;
  readonly edits: number;
  /** Bytes of the edits as a client sends them. */
  readonly editBytes: number;
  /** Bytes of tables, TOAST and indices, after VACUUM. */
  readonly logBytes: number;
  readonly snapshotBytes: number;
  readonly clientBytes: number;
  /** Bytes in the snapshots, uncompressed, and the number of snapshots. */
  readonly stateBytes: number;
  readonly snapshots: number;
  readonly walBytes: number;
}

const WORKLOADS = { typing: typing, visits: visits, counters: counters, yjs: yjsTyping } as const;
export type WorkloadName = keyof typeof WORKLOADS;
export const WORKLOAD_NAMES = Object.keys(WORKLOADS).filter(
  (name): name is WorkloadName => name in WORKLOADS,
);

/** With these settings documents leave memory soon, and their snapshots are written then. */
const SETTINGS = ['actors.idleMs=500', 'limits.submitsPerSecond=1000000'];
/** Longer than a document stays in memory and its snapshot takes together. */
const IDLE_MS = 4_000;
const DOC = 'stored/document';

const VISITS = 6;
const VISIT_BYTES = 5_000;
const CHUNK = 250_000;

/** Opens the document, makes edits one by one, and lets it go idle. */
type Visit = (kind: KindName, edits: Iterable<Wire>) => Promise<void>;

export async function stored(workload: WorkloadName, options: StoredOptions): Promise<Stored> {
  return await withDataDirectory(async (directory) => {
    const { main, signal } = options;
    const storage = { directory };
    const node = await NodeProcess.start({
      storage,
      set: SETTINGS,
      detached: true,
      ...(main === undefined ? {} : { main }),
    });
    const sql = postgres(await node.storageUrl(), { max: 1, onnotice: () => undefined });
    try {
      const before = await sizes(sql);
      const count = { edits: 0, bytes: 0 };
      await WORKLOADS[workload](visitor(node.socketUrl, count, signal), options);
      const walBytes = (await wal(sql)) - before.wal;
      await sql`VACUUM`;
      const after = await sizes(sql);
      const [states] = await sql<{ bytes: string | null; snapshots: string }[]>`
        SELECT sum(octet_length(state)) AS bytes, count(*) AS snapshots FROM snapshot`;
      return {
        workload,
        edits: count.edits,
        editBytes: count.bytes,
        logBytes: after.delta - before.delta,
        snapshotBytes: after.snapshot - before.snapshot,
        clientBytes: after.client_seq - before.client_seq,
        stateBytes: Number(states?.bytes ?? 0),
        snapshots: Number(states?.snapshots ?? 0),
        walBytes,
      };
    } finally {
      await sql.end({ timeout: 1 });
      await node.stop();
    }
  });
}

function visitor(
  url: string,
  count: { edits: number; bytes: number },
  signal: AbortSignal | undefined,
): Visit {
  let visits = 0;
  return async (kind, edits) => {
    const client = new BareClient({
      url,
      client: `visitor-${++visits}`,
      encoding: 'json',
      replicas: false,
      random: Math.random,
    });
    await client.connect();
    const document = client.open(DOC, { kind });
    await document.opened();
    for (const op of edits) {
      signal?.throwIfAborted();
      const { fate } = await document.decided(document.submit(op));
      if (fate.type !== 'ok') throw new Error(`an edit was ${fate.type}`);
      count.edits++;
      count.bytes += op instanceof Uint8Array ? op.byteLength : JSON.stringify(op).length;
    }
    document.close();
    await document.closed();
    client.stop();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  };
}

/** Single characters, as the trace's author typed and deleted them. */
function* keys({
  trace,
  edits,
}: StoredOptions): Iterable<readonly [position: number, deleted: number, inserted: string]> {
  let left = edits;
  for (const { patches } of trace.txns) {
    for (const patch of patches) {
      if (left-- <= 0) return;
      yield patch;
    }
  }
}

async function typing(visit: Visit, options: StoredOptions): Promise<void> {
  function* ops(): Iterable<Wire> {
    for (const [position, deleted, inserted] of keys(options))
      yield [
        ...(position > 0 ? [{ retain: position }] : []),
        ...(inserted === '' ? [] : [{ insert: inserted }]),
        ...(deleted > 0 ? [{ delete: deleted }] : []),
      ];
  }
  await visit('rich-text', ops());
}

async function yjsTyping(visit: Visit, options: StoredOptions): Promise<void> {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  const text = doc.getText('text');
  function* ops(): Iterable<Wire> {
    for (const [position, deleted, inserted] of keys(options)) {
      doc.transact(() => {
        if (deleted > 0) text.delete(position, deleted);
        if (inserted !== '') text.insert(position, inserted);
      });
      yield* updates.splice(0);
    }
  }
  await visit('yjs', ops());
}

async function counters(visit: Visit, { edits }: StoredOptions): Promise<void> {
  function* ops(): Iterable<Wire> {
    for (let i = 0; i < 10; i++) yield [{ op: 'add', path: `/counter-${i}`, value: 0 }];
    for (let i = 10; i < edits; i++) yield [{ op: 'replace', path: `/counter-${i % 10}`, value: i }];
  }
  await visit('json', ops());
}

/** A document of 1 MB, visited six times to type 5 kB in it. */
async function visits(visit: Visit): Promise<void> {
  const random = seededRandom(1);
  let length = 0;
  const insert = (text: string): Wire => {
    const op = [...(length > 0 ? [{ retain: length }] : []), { insert: text }];
    length += text.length;
    return op;
  };
  function* chunks(): Iterable<Wire> {
    for (let i = 0; i < 4; i++) yield insert(prose(CHUNK, random));
  }
  function* typed(): Iterable<Wire> {
    for (let i = 0; i < VISIT_BYTES / 50; i++) yield insert(prose(50, random));
  }
  await visit('rich-text', chunks());
  for (let i = 0; i < VISITS; i++) await visit('rich-text', typed());
}

/** Words that hardly repeat, since PostgreSQL compresses snapshots and large patches. */
function prose(length: number, random: Random): string {
  let text = '';
  while (text.length < length) text += `${Math.floor(random() * 36 ** 7).toString(36)} `;
  return text.slice(0, length);
}

async function sizes(sql: postgres.Sql) {
  const rows = await sql<{ name: string; bytes: string }[]>`
    SELECT p.relname AS name, sum(pg_total_relation_size(i.inhrelid)) AS bytes
    FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
    WHERE p.relname IN ('delta', 'snapshot', 'client_seq') GROUP BY p.relname`;
  const of = (name: string): number => Number(rows.find((row) => row.name === name)?.bytes ?? 0);
  return { delta: of('delta'), snapshot: of('snapshot'), client_seq: of('client_seq'), wal: await wal(sql) };
}

async function wal(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ bytes: string }[]>`SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes`;
  return Number(row?.bytes ?? 0);
}
