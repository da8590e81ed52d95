// A document with a log in a database of its own, and its past. The work of the threads is done by this one.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import type postgres from 'postgres';
import { doPastJob } from '../../actors/compute/past-job.ts';
import type { PastTask } from '../../actors/compute/past-worker.ts';
import { type AnyKind, atOnce, stateOf, storedForm, storedSnapshot } from '../../actors/document/entry.ts';
import { clientPairs } from '../../actors/storage/client-pairs.ts';
import type { PastDocument } from '../../actors/storage/past-store.ts';
import { createPastStore } from '../../actors/storage/past-store-postgres.ts';
import type { DeltaRow } from '../../actors/storage/store.ts';
import {
  createControlStore,
  createFoldStore,
  createWorkerStore,
} from '../../actors/storage/store-postgres.ts';
import { kindOf } from '../../kinds/registry.ts';
import type { Json, KindName, Wire } from '../../protocol/messages.ts';
import { Past, type PastOptions, type PastResult } from '../../src/past/past.ts';
import { database } from '../storage/postgres/support.ts';
import { plain } from '../support/creations.ts';

export const LIMITS = { documentBytes: 1 << 24, depth: 100, workMs: 1_000 };
export const NEVER = new AbortController().signal;

export interface Stage {
  readonly url: string;
  readonly past: Past;
  readonly admin: postgres.Sql;
  /** Jobs that were done. */
  readonly jobs: readonly string[];
  document(): Promise<PastDocument>;
  /** Commits a batch: each patch on the head. */
  commit(user: string, ...patches: readonly Wire[]): Promise<void>;
  /** Writes a snapshot of the head. */
  snapshot(): Promise<void>;
  /** Folds the history away up to the newest snapshot. */
  fold(): Promise<void>;
}

export async function stage(
  t: TestContext,
  kindName: KindName,
  options: Partial<Pick<PastOptions, 'cacheBytes' | 'namedVersions' | 'pool'>> = {},
): Promise<Stage> {
  const { url, admin } = await database(t);
  const run = randomUUID();
  const worker = createWorkerStore({ url });
  t.after(() => worker.abort());
  const session = await worker.open({ run, node: 'node', slot: 0 });
  await worker.claim([1]);
  const made = await worker.create('acme', 'plan', 1, plain(kindName));
  assert.ok(made);
  const doc = made.row.id;
  const folds = createFoldStore({ url, run });
  t.after(() => folds.close());
  const store = createPastStore({ url }, 2);
  t.after(() => store.close());
  const jobs: string[] = [];
  const past = new Past({
    store,
    pool: {
      run: async (task: PastTask) => {
        jobs.push(task.job.type);
        return await doPastJob(store, task.job);
      },
    },
    storage: () => ({ url, lowestTimeline: 0, connectTimeoutMs: 5_000, answerTimeoutMs: 10_000 }),
    cacheBytes: 1 << 20,
    namedVersions: 3,
    newClientId: () => 4242,
    ...options,
  });
  const kind: AnyKind = kindOf(kindName);
  const state = atOnce(stateOf(kind, undefined));
  let head = 0;
  let previous = 0;
  const logged: DeltaRow[] = [];
  return {
    url,
    past,
    admin,
    jobs,
    async document() {
      const found = await past.find('acme', 'plan');
      assert.ok(found);
      return found;
    },
    async commit(user, ...patches) {
      const before = head;
      const rows = patches.map((patch) => {
        const parsed = kind.parse(patch, LIMITS);
        assert.ok(parsed.ok);
        const committed = kind.commit(state, parsed.value, [], LIMITS);
        assert.ok(committed.ok, JSON.stringify(committed));
        head++;
        const op = storedForm(kind, committed.value.op);
        return { doc, version: head, epoch: 1, client: `${user}-client`, seq: head, user, op };
      });
      logged.push(...rows);
      assert.deepEqual(await worker.append(rows, new Map([[doc, before]])), { type: 'committed' });
    },
    async snapshot() {
      const since = logged.filter(({ version }) => version > previous);
      const written = await folds.writeSnapshot(session, {
        doc,
        version: head,
        epoch: 1,
        previous,
        logged: since.reduce((bytes, { op }) => bytes + op.byteLength, 0),
        state: storedSnapshot(kind, state),
        clients: clientPairs(since),
      });
      assert.equal(written, true);
      previous = head;
    },
    async fold() {
      const control = createControlStore({ url });
      await control.openSession({ run: randomUUID(), node: 'sweeper', slot: -1 });
      const retention = { olderThanMs: 0, keepOps: 0 };
      for (let pass = 0; pass < 20; pass++) {
        const slice = await control.sweep({ retention, limit: 1_000, sliceMs: 10_000, everyMs: 0 });
        if (slice.type === 'done') break;
      }
      await control.close();
    },
  };
}

export function resultOf<T>(result: PastResult<T>): T {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

export function codeOf(result: PastResult<unknown>): string {
  assert.ok(!result.ok);
  return result.code;
}

export const jsonOf = (bytes: Uint8Array): Json => JSON.parse(Buffer.from(bytes).toString('utf8'));
