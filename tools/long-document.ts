// Writes a document with a long history straight into the database, as the log of a document that several users have
// edited for months: runs of patches, and the snapshots that thinning leaves. It goes past the actors: nothing else may
// use the document meanwhile.
import { randomBytes, randomUUID } from 'node:crypto';
import postgres from 'postgres';
import { type AnyKind, storedForm, storedSnapshot } from '../actors/document/entry.ts';
import { shardOf } from '../actors/shard.ts';
import { encodeRun, type RunPatch } from '../actors/storage/postgres/connection/run.ts';
import { createFoldStore, createWorkerStore } from '../actors/storage/store-postgres.ts';
import { kindOf } from '../kinds/registry.ts';
import type { KindName, Wire } from '../protocol/messages.ts';

export interface LongDocument {
  readonly org: string;
  readonly name: string;
  readonly kind: Extract<KindName, 'json' | 'rich-text'>;
  readonly edits: number;
  /** Patches of a run. */
  readonly runLength: number;
}

const USERS = ['ada', 'bob', 'cleo', 'dan', 'eve'];
const RUNS_AT_ONCE = 200;
/** Time between two runs. */
const RUN_MS = 20_000;
const LIMITS = { documentBytes: 1 << 24, depth: 100, workMs: 1_000 };

export async function writeLongDocument(url: string, document: LongDocument): Promise<void> {
  const { org, name, kind: kindName, edits, runLength } = document;
  const run = randomUUID();
  const worker = createWorkerStore({ url });
  const folds = createFoldStore({ url, run });
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  const session = await worker.open({ run, node: 'writer', slot: 0 });
  const shard = shardOf(`${org}/${name}`);
  const epoch = (await worker.claim([shard])).get(shard);
  if (epoch === undefined) throw new Error('the shard of the document has an owner');
  const made = await worker.create(org, name, shard, { kind: kindName, user: 'ada', mark: '' });
  if (made === undefined) throw new Error('the document could not be created');
  const doc = made.row.id;
  const kind: AnyKind = kindOf(kindName);
  const state = kind.create();
  const author = authorOf(kindName);
  const started = Date.now() - (edits / runLength) * RUN_MS;
  let head = 0;
  let previous = 0;
  let logged = 0;
  let runs: { first: number; last: number; at: string; ops: string }[] = [];
  const flush = async (): Promise<void> => {
    if (runs.length === 0) return;
    await sql`
      INSERT INTO delta (doc, first, last, epoch, session, batch, at, ops)
      SELECT ${doc}, first, last, ${epoch}, ${session.id}, first, at, decode(ops, 'base64')
      FROM json_to_recordset(${JSON.stringify(runs)}::text::json) AS r(first bigint, last bigint, at timestamptz, ops text)`;
    runs = [];
  };
  while (head < edits) {
    const patches: RunPatch[] = [];
    const first = head + 1;
    for (let i = 0; i < runLength && head < edits; i++) {
      head++;
      const user = USERS[Math.floor(head / 7) % USERS.length] ?? 'ada';
      const parsed = kind.parse(author(), LIMITS);
      if (!parsed.ok) throw new Error(parsed.message);
      const committed = kind.commit(state, parsed.value, [], LIMITS);
      if (!committed.ok) throw new Error(committed.message);
      const op = storedForm(kind, committed.value.op);
      logged += op.byteLength;
      patches.push({ client: `${user}-client`, seq: head, user, op });
    }
    const at = new Date(started + (head / runLength) * RUN_MS).toISOString();
    runs.push({ first, last: head, at, ops: encodeRun(patches).toString('base64') });
    if (runs.length >= RUNS_AT_ONCE) await flush();
    if (logged > Math.max(64 * 1024, kind.size(state) / 2)) {
      await flush();
      const bytes = storedSnapshot(kind, state);
      const snapshot = { doc, version: head, epoch, previous, logged, state: bytes, clients: [] };
      if (!(await folds.writeSnapshot(session, snapshot))) throw new Error('a snapshot was refused');
      previous = head;
      logged = 0;
    }
  }
  await flush();
  await sql.end();
  await folds.close();
  await worker.close();
}

/** Makes patches that fit the document, one after the other: typing at a place that moves now and then. */
function authorOf(kind: LongDocument['kind']): () => Wire {
  let length = 1;
  let place = 0;
  let made = 0;
  const below = (limit: number): number => randomBytes(4).readUInt32LE() % Math.max(1, limit);
  const text = (): Wire => {
    if (made++ % 20 === 0) place = below(length);
    const before = place > 0 ? [{ retain: place }] : [];
    if (below(10) < 3 && place + 1 < length) {
      length--;
      return [...before, { delete: 1 }];
    }
    const typed = 'the quick brown fox jumps '.charAt(made % 26);
    length++;
    place++;
    return [...before, { insert: typed }];
  };
  let items = -1;
  const json = (): Wire => {
    if (items < 0) {
      items = 0;
      return [{ op: 'add', path: '/items', value: [] }];
    }
    const choice = below(10);
    if (items === 0 || (choice < 3 && items < 2_000)) {
      const at = below(items + 1);
      items++;
      return [{ op: 'add', path: `/items/${at}`, value: { title: `item ${made++}`, done: false } }];
    }
    if (choice === 3) {
      items--;
      return [{ op: 'remove', path: `/items/${below(items + 1)}` }];
    }
    return [{ op: 'replace', path: `/items/${below(items)}/done`, value: made++ % 2 === 0 }];
  };
  return kind === 'json' ? json : text;
}
