// Support for the rules of the contract: the harness that an implementation supplies, and the sessions and
// documents with which rules begin.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { clientPairs } from '../../../actors/storage/client-pairs.ts';
import type {
  ControlStore,
  DeltaRow,
  DocumentId,
  FoldStore,
  OpenedSession,
  SessionId,
  SessionRef,
  WorkerStore,
} from '../../../actors/storage/store.ts';
import { plain } from '../../support/creations.ts';

/** One empty, migrated database. All its stores are closed after the test. */
export interface StoreHarness {
  control(): ControlStore;
  worker(): WorkerStore;
  fold(run: string): FoldStore;
  /**
   * The session's write connection is lost at an unknown moment of its next append, or of the append in
   * flight.
   */
  loseConnection(session: SessionId): Promise<void>;
  /** Rows of the document above `version` vanish, as when a database fails over to one that lacks them. */
  loseAbove(doc: DocumentId, version: number): Promise<void>;
  /**
   * A process of the session stops with a statement half sent, so its row stays locked. The returned function
   * ends that.
   */
  holdLock(worker: Worker): Promise<() => Promise<void>>;
  /** Every connection is lost; the database is there again at once. */
  loseAllConnections(): Promise<void>;
  /** Makes everything that the database stores with a time older by `ms`. */
  age(ms: number): Promise<void>;
}

export type Rule = (title: string, body: (h: StoreHarness, t: TestContext) => Promise<void>) => void;

/** Each rule has a database of its own. */
export const rules =
  (name: string, open: (t: TestContext) => Promise<StoreHarness>): Rule =>
  (title, body) => {
    void test(`${name}: ${title}`, async (t) => body(await open(t), t));
  };

export interface Worker {
  readonly store: WorkerStore;
  readonly session: OpenedSession;
}

export interface Node {
  readonly run: string;
  readonly me: OpenedSession;
  readonly control: ControlStore;
}

export async function node(h: StoreHarness, address?: string): Promise<Node> {
  const run = randomUUID();
  const control = h.control();
  const identity = { run, node: 'node', slot: -1, ...(address === undefined ? {} : { address }) };
  return { run, me: await control.openSession(identity), control };
}

export async function openWorker(h: StoreHarness, run: string, slot = 0): Promise<Worker> {
  const store = h.worker();
  return { store, session: await store.open({ run, node: 'node', slot }) };
}

/** A new document in a shard that the worker claims for it. */
export async function document(worker: Worker, name = 'd', shard = 1): Promise<DocumentId> {
  await worker.store.claim([shard]);
  const made = await worker.store.create('org', name, shard, plain('json'));
  assert.ok(made);
  return made.row.id;
}

/** A document of ten versions by two clients in turn, with a snapshot at `version` (0: none). */
export async function snapshotted(h: StoreHarness, version: number) {
  const run = randomUUID();
  const a = await openWorker(h, run);
  const fold = h.fold(run);
  const doc = await document(a);
  const rows = Array.from({ length: 10 }, (_, i) => row(doc, i + 1, { client: `client-${(i + 1) % 2}` }));
  assert.deepEqual(await a.store.append(rows, new Map([[doc, 0]])), { type: 'committed' });
  const epoch = 1;
  if (version > 0) {
    const state = Buffer.from(`at ${version}`);
    assert.equal(await writeSnapshot(fold, a.session, doc, version, epoch, 0, state), true);
  }
  return { a, fold, doc, epoch };
}

/** Writes a snapshot, with the pairs of the log in between. */
export async function writeSnapshot(
  fold: FoldStore,
  session: SessionRef,
  doc: DocumentId,
  version: number,
  epoch: number,
  previous: number,
  state: Uint8Array = Buffer.from('x'),
): Promise<boolean> {
  const deltas = await fold.read(doc, version).then(
    (loaded) => loaded.deltas.filter((delta) => delta.version > previous),
    () => [],
  );
  const clients = clientPairs(deltas);
  const logged = deltas.reduce((bytes, { op }) => bytes + op.byteLength, 0);
  return await fold.writeSnapshot(session, { doc, version, epoch, previous, logged, state, clients });
}

/** Runs slices of the sweep until one has removed something, or a pass is over. */
export async function compact(
  control: ControlStore,
  { olderThanMs, keepOps, limit }: { olderThanMs: number; keepOps: number; limit: number },
): Promise<number> {
  for (;;) {
    const retention = { olderThanMs, keepOps };
    const slice = await control.sweep({ retention, limit, sliceMs: 10_000, everyMs: 0 });
    if (slice.type === 'fenced') return 0;
    if ((slice.type === 'more' && slice.removed > 0) || slice.type === 'done') return slice.removed;
  }
}

export function row(doc: DocumentId, version: number, changes: Partial<DeltaRow> = {}): DeltaRow {
  const op = Buffer.from(`op ${version}`);
  return { doc, version, epoch: 1, client: 'client-1', seq: version, user: 'user', op, ...changes };
}

export const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
