// Measures what documents cost that exist, and documents that clients have open: bytes in PostgreSQL, and memory of the
// node's process. The documents are of kind yjs, edited over the socket of a node with a database of its own. It judges
// nothing.
import { readFile } from 'node:fs/promises';
import postgres from 'postgres';
import * as Y from 'yjs';
import { BareClient } from '../clients/bare-client.ts';
import { NodeProcess } from '../nodes/node-process.ts';
import { withDataDirectory } from '../nodes/temporary-node.ts';

export interface DocumentsOptions {
  readonly documents: number;
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

export async function documents(options: DocumentsOptions): Promise<DocumentsCost> {
  return await withDataDirectory(async (directory) => {
    const node = await NodeProcess.start({ storage: { directory }, set: SETTINGS, detached: true });
    try {
      const freshBytes = await settledMemory(node);
      const before = await tableBytes(node);
      await make(node.socketUrl, options);
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
      const readers = await open(node.socketUrl, 0, some);
      const someBytes = await settledMemory(node);
      readers.push(...(await open(node.socketUrl, some, options.open)));
      const openBytes = await settledMemory(node);
      for (const reader of readers) reader.stop();
      const eachBytes = (openBytes - someBytes) / Math.max(1, options.open - some);
      return { stored, freshBytes, knownBytes, openBytes, eachBytes };
    } finally {
      await node.stop();
    }
  });
}

const nameOf = (number: number): string => `measured/document-${number}`;

async function make(
  url: string,
  { documents: count, bytes, signal, onProgress }: DocumentsOptions,
): Promise<void> {
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

/** Opens the documents from `first` up to `count`. */
async function open(url: string, first: number, count: number): Promise<BareClient[]> {
  const readers: BareClient[] = [];
  for (let from = first; from < count; from += PER_SOCKET) {
    const reader = await connect(url, `reader-${from}-client`);
    readers.push(reader);
    const upTo = Math.min(count, from + PER_SOCKET);
    for (let number = from; number < upTo; number++) await reader.open(nameOf(number)).opened();
  }
  return readers;
}

async function connect(url: string, client: string): Promise<BareClient> {
  const made = new BareClient({ url, client, encoding: 'msgpack', replicas: false, random: Math.random });
  await made.connect();
  return made;
}

async function settledMemory(node: NodeProcess): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const status = await readFile(`/proc/${node.pid}/status`, 'utf8');
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
}

async function tableBytes(node: NodeProcess): Promise<Map<string, number>> {
  // Documents that were edited last are still in memory; their snapshots are written when they leave it.
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
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
