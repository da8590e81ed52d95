// Measures what documents cost that exist, and documents that clients have open: bytes in PostgreSQL, and memory of the
// node's process. The documents are of kind yjs, edited over the socket of a node with a database of its own. Beyond a number of
// them the others are copies of their rows, because typing takes long. It judges nothing.
import { readFile } from 'node:fs/promises';
import postgres from 'postgres';
import * as Y from 'yjs';
import { BareClient } from '../clients/bare-client.ts';
import { NodeProcess } from '../nodes/node-process.ts';
import { withDataDirectory } from '../nodes/temporary-node.ts';

export interface DocumentsOptions {
  readonly documents: number;
  /** Those among them that are typed. The others are copies of their rows under other names. */
  readonly typed: number;
  /** Documents that are open at the end. */
  readonly open: number;
  /** Bytes of text in each document, in ten edits. */
  readonly bytes: number;
  readonly signal: AbortSignal;
  readonly onProgress: (made: number) => void;
}

export interface DocumentsCost {
  /** Bytes in PostgreSQL of a document, tables, TOAST and indices, by table. */
  readonly stored: ReadonlyMap<string, number>;
  /** Bytes of memory of a node that has just started: without documents, and with all of them in its database. */
  readonly freshBytes: number;
  readonly knownBytes: number;
  /** The same once the documents are open. */
  readonly openBytes: number;
  /** Memory for one open document, from the difference between all and the first tenth of them. */
  readonly eachBytes: number;
}

const EDITS = 10;
/** Clients that make documents at the same time, and documents that one socket has open. */
const MAKERS = 64;
const PER_SOCKET = 100;
/** Until a process has freed what its start, or a load, has taken. */
const SETTLE_MS = 10_000;
const SETTINGS = ['actors.idleMs=2000', 'limits.submitsPerSecond=1000000', 'quotas.user.opensPerSecond=null'];
const TABLES = ['document', 'delta', 'snapshot', 'client_seq'];
/** Documents that one transaction copies. */
const COPIES = 10_000;

export async function documents(options: DocumentsOptions): Promise<DocumentsCost> {
  return await withDataDirectory(async (directory) => {
    const node = await NodeProcess.start({ storage: { directory }, set: SETTINGS, detached: true });
    try {
      const freshBytes = await settledMemory(node);
      const before = await tableBytes(node);
      await make(node.socketUrl, options);
      if (options.typed < options.documents) {
        await settled();
        await copyRows(await node.storageUrl(), options);
      }
      const after = await tableBytes(node);
      const stored = new Map(
        TABLES.map((table) => [
          table,
          ((after.get(table) ?? 0) - (before.get(table) ?? 0)) / options.documents,
        ]),
      );
      await node.stop();
      await node.restart();
      const knownBytes = await settledMemory(node);
      // The first documents also have the node's code compiled, and its heap grow.
      const some = Math.ceil(options.open / 10);
      const last = options.documents - 1;
      const readers = await open(node.socketUrl, last, some);
      const someBytes = await settledMemory(node);
      readers.push(...(await open(node.socketUrl, last - some, options.open - some)));
      const openBytes = await settledMemory(node);
      for (const reader of readers) reader.stop();
      const eachBytes = (openBytes - someBytes) / Math.max(1, options.open - some);
      return { stored, freshBytes, knownBytes, openBytes, eachBytes };
    } finally {
      await node.stop();
    }
  });
}

const ORG = 'measured';
const nameOf = (number: number): string => `${ORG}/document-${number}`;

async function make(
  url: string,
  { documents: all, typed, bytes, signal, onProgress }: DocumentsOptions,
): Promise<void> {
  const count = Math.min(all, typed);
  let next = 0;
  let made = 0;
  const updates = Array.from({ length: MAKERS }, () => editsOf(bytes));
  await Promise.all(
    updates.map(async (edits, maker) => {
      const client = await connect(url, `maker-${maker}-client`);
      for (let number = next++; number < count; number = next++) {
        signal.throwIfAborted();
        const document = client.open(nameOf(number), { kind: 'yjs' });
        await document.opened();
        const seqs = edits.map((edit) => document.submit(edit));
        for (const seq of seqs) {
          const { fate } = await document.decided(seq);
          if (fate.type !== 'ok') throw new Error(`an edit was ${fate.type}`);
        }
        document.close();
        await document.closed();
        onProgress(++made);
      }
      client.stop();
    }),
  );
}

/** Updates of one author, who types words at the end of a text. */
function editsOf(bytes: number): Uint8Array[] {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  const text = doc.getText('text');
  for (let i = 0; i < EDITS; i++) {
    let words = '';
    while (words.length < bytes / EDITS) words += `${Math.floor(Math.random() * 36 ** 7).toString(36)} `;
    text.insert(text.length, words.slice(0, bytes / EDITS));
  }
  return updates;
}

/**
 * Makes the documents that are not typed. Copy n + k × typed has the rows of document n, with the shard of that document: only pins
 * of organisations read it.
 */
async function copyRows(url: string, { documents: all, typed, signal, onProgress }: DocumentsOptions) {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await sql`CREATE TEMPORARY TABLE template AS SELECT id, name FROM document WHERE org = ${ORG}`;
    await sql`CREATE TEMPORARY TABLE copy (id bigint, template bigint, name text)`;
    for (let from = typed; from < all; from += COPIES) {
      signal.throwIfAborted();
      const numbers = Array.from({ length: Math.min(COPIES, all - from) }, (_, at) => from + at);
      const names = numbers.map((number) => nameOf(number).slice(ORG.length + 1));
      const templates = numbers.map((number) => nameOf(number % typed).slice(ORG.length + 1));
      await sql.begin(async (tx) => {
        await tx`TRUNCATE copy`;
        await tx`
          INSERT INTO copy SELECT floor(random() * ${Number.MAX_SAFE_INTEGER - 1}::float8)::bigint + 1, template.id, u.name
          FROM unnest(${names}::text[], ${templates}::text[]) u (name, template)
          JOIN template ON template.name = u.template`;
        for (const table of TABLES) {
          const columns = await tx<{ name: string }[]>`
            SELECT attname AS name FROM pg_attribute
            WHERE attrelid = ${table}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;
          const list = columns.map(({ name }) => name);
          const own = table === 'document' ? 'id' : 'doc';
          const sourceOf = (name: string): string => {
            if (name === own) return 'copy.id';
            return table === 'document' && name === 'name' ? 'copy.name' : `source.${name}`;
          };
          await tx.unsafe(
            `INSERT INTO ${table} (${list.join(', ')}) SELECT ${list.map(sourceOf).join(', ')}
             FROM copy JOIN ${table} source ON source.${own} = copy.template`,
          );
        }
      });
      for (const number of numbers) onProgress(number + 1);
    }
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Opens `count` documents, from `last` downwards. */
async function open(url: string, last: number, count: number): Promise<BareClient[]> {
  const readers: BareClient[] = [];
  let reader: BareClient | undefined;
  for (let at = 0; at < count; at++) {
    if (reader === undefined || at % PER_SOCKET === 0) {
      reader = await connect(url, `reader-${last - at}-client`);
      readers.push(reader);
    }
    await reader.open(nameOf(last - at)).opened();
  }
  return readers;
}

async function connect(url: string, client: string): Promise<BareClient> {
  const made = new BareClient({ url, client, encoding: 'msgpack', replicas: false, random: Math.random });
  await made.connect();
  return made;
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

async function settledMemory(node: NodeProcess): Promise<number> {
  await settled();
  const status = await readFile(`/proc/${node.pid}/status`, 'utf8');
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
}

async function tableBytes(node: NodeProcess): Promise<Map<string, number>> {
  // Documents that were edited last are still in memory; their snapshots are written when they leave it.
  await settled();
  const sql = postgres(await node.storageUrl(), { max: 1, onnotice: () => undefined });
  try {
    const rows = await sql<{ name: string; bytes: string }[]>`
      SELECT c.relname AS name, pg_total_relation_size(c.oid)
        + (SELECT coalesce(sum(pg_total_relation_size(i.inhrelid)), 0) FROM pg_inherits i WHERE i.inhparent = c.oid) AS bytes
      FROM pg_class c WHERE c.relname = ANY(${TABLES}) AND c.relkind IN ('r', 'p')`;
    return new Map(rows.map(({ name, bytes }) => [name, Number(bytes)]));
  } finally {
    await sql.end({ timeout: 1 });
  }
}
