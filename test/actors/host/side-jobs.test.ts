// Which thread makes a snapshot: the worker, or the compute pool, by which the main thread sees how long a log is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FoldRequest } from '../../../actors/compute/fold.ts';
import type { DocumentActor } from '../../../actors/document/actor.ts';
import { SideJobs, type SideJobsOptions } from '../../../actors/host/side-jobs.ts';
import { NodeMetrics } from '../../../src/observability/node-metrics.ts';

test('HIST-4: a snapshot that a worker has made is folded by the pool each 50,000 patches', async () => {
  const folded: number[] = [];
  const written: number[] = [];
  const options: Partial<SideJobsOptions> = {
    session: { id: 1 } as SideJobsOptions['session'],
    shards: { epochOf: () => 1 },
    answered: (_actor, act) => act(),
    counts: new NodeMetrics().thread('worker-0'),
    fold: async ({ version }: FoldRequest) => {
      folded.push(version);
      return { bytes: 1 };
    },
    store: {
      writeSnapshot: async ({ version }) => {
        written.push(version);
        return true;
      },
    },
  };
  const jobs = new SideJobs(options as SideJobsOptions);
  const actor = { id: 7, kindName: 'json', name: 'acme/plan' } as DocumentActor;
  let previous = 0;
  for (const version of [1_000, 49_999, 50_000, 51_000, 99_000, 101_000]) {
    const made = { previous, logged: 1, state: new Uint8Array(1), clients: [] };
    await new Promise((done) => jobs.fold(actor, version, made, done));
    previous = version;
  }
  assert.deepEqual(
    [written, folded],
    [
      [1_000, 49_999, 51_000, 99_000],
      [50_000, 101_000],
    ],
  );
});
