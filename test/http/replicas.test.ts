// Reads from a real streaming replica: its replay is paused, it is taken away and comes back, and it follows a primary
// that has lost its place. Answers show all that was acknowledged before, in every case.
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { REPLICA_OUTCOMES, type ReplicaOutcome } from '../../actors/storage/replicas.ts';
import { startTestNode } from '../support/node.ts';
import {
  type PostgresServer,
  type ReplicatedPostgres,
  startReplicated,
} from '../support/replicated-postgres.ts';
import { until } from '../support/until.ts';
import { Api, json, patch } from './api-client.ts';

/** A primary and a replica that follows it. The tests that share them have an organisation each. */
let followed: ReplicatedPostgres;
const closers: (() => unknown)[] = [];
before(async () => {
  followed = await startReplicated(
    { after: (close) => void closers.push(close as () => unknown) },
    { synchronous: false },
  );
});
after(async () => {
  for (const close of closers) await close();
});

/** The time between two looks for an outcome of reads. Each look makes ten requests. */
const LOOK_MS = 50;

interface Stage {
  readonly api: Api;
  readonly org: string;
  /** The path of the document. */
  readonly plan: string;
  readonly reads: () => Promise<Readonly<Record<ReplicaOutcome, number>>>;
  /** Commits a patch, and holds each kind of read against it. */
  readonly checkReads: () => Promise<void>;
  /** Checks reads until this outcome was counted once more for each kind of read. */
  readonly checkUntil: (outcome: ReplicaOutcome) => Promise<void>;
}

async function start(
  t: TestContext,
  storageUrl: string,
  replicas: string,
  replicaWaitMs: number,
  org: string,
): Promise<Stage> {
  const plan = `/v1/docs/${org}/plan`;
  const node = await startTestNode(t, { storageUrl, storage: { replicas, replicaWaitMs } });
  const api = await Api.of(node.url);
  const created = await api.call(`PUT ${plan}`, json({ kind: 'json' }));
  assert.equal(created.status, 201);
  let head = 0;
  const reads = async () => {
    const text = await (await fetch(node.metricsUrl)).text();
    const entries = REPLICA_OUTCOMES.map((outcome) => {
      const found = new RegExp(`^troupe_replica_reads_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(
        text,
      );
      assert.ok(found, text);
      return [outcome, Number(found[1])] as const;
    });
    return Object.fromEntries(entries) as Record<ReplicaOutcome, number>;
  };
  const checkReads = async () => {
    await until(async () => {
      const answer = await api.call(`PATCH ${plan}`, patch([{ op: 'add', path: '/n', value: head + 1 }]));
      if (answer.status === 503) return false;
      assert.equal(answer.status, 200);
      head = Number(answer.body.version);
      return true;
    });
    const { ops } = (await api.call(`GET ${plan}/history?from=${head}`)).body as {
      ops: { version: number }[];
    };
    assert.deepEqual(
      ops.map(({ version }) => version),
      [head],
    );
    const old = await api.call(`GET ${plan}?version=${head}`);
    assert.equal(old.status, 200);
    assert.equal(old.body.version, head);
    const { authors } = (await api.call(`GET ${plan}/authors`)).body;
    assert.equal((authors as Record<string, { version: number }>)['/n']?.version, head);
    const { docs } = (await api.call(`GET /v1/docs/${org}`)).body as { docs: { version: number }[] };
    assert.deepEqual(
      docs.map(({ version }) => version),
      [head],
    );
    const name = `v${head}`;
    assert.equal((await api.call(`PUT ${plan}/versions/${name}`, json({}))).status, 201);
    assert.equal((await api.call(`GET ${plan}/versions/${name}`)).body.version, head);
    assert.equal((await api.call(`DELETE ${plan}/versions/${name}`)).status, 204);
    assert.equal((await api.call(`GET ${plan}/versions/${name}`)).refused, '404 not-found');
  };
  const checkUntil = async (outcome: ReplicaOutcome) => {
    const before = await reads();
    for (;;) {
      await checkReads();
      if ((await reads())[outcome] > before[outcome]) return;
      await setTimeout(LOOK_MS);
    }
  };
  return { api, org, plan, reads, checkReads, checkUntil };
}

const pausedReplay = async (standby: PostgresServer): Promise<void> => {
  await standby.ask('SELECT pg_wal_replay_pause()');
  await until(
    async () => (await standby.ask('SELECT pg_get_wal_replay_pause_state() AS is'))[0]?.is === 'paused',
  );
};

test('HIST-8: a replica that has replayed what is acknowledged answers the reads of histories, versions, authors and lists', async (t) => {
  const { url, standby } = followed;
  const stage = await start(t, url, standby.url, 10_000, 'acme');
  await stage.checkReads();
  const { replica, ...others } = await stage.reads();
  assert.ok(replica >= 7, JSON.stringify(await stage.reads()));
  assert.deepEqual(others, { behind: 0, away: 0, resting: 0 });
});

test('HIST-8: while the replay of a replica is paused, and while it is away, the primary answers', async (t) => {
  const { url, standby } = followed;
  const stage = await start(t, url, standby.url, 50, 'other');
  const { org, plan } = stage;
  await stage.checkUntil('replica');
  await pausedReplay(standby);
  const paused = await stage.reads();
  await stage.checkUntil('behind');
  await stage.checkUntil('resting');
  assert.equal((await stage.reads()).replica, paused.replica);
  await stage.api.call(`DELETE ${plan}`);
  assert.equal((await stage.api.call(`GET ${plan}/history`)).refused, '404 not-found');
  assert.deepEqual((await stage.api.call(`GET /v1/docs/${org}`)).body, { docs: [] });
  assert.equal((await stage.api.call(`POST ${plan}/undelete`)).status, 204);
  await standby.ask('SELECT pg_wal_replay_resume()');
  await stage.checkUntil('replica');
  await standby.crash();
  await stage.checkUntil('away');
  await standby.start();
  await stage.checkUntil('replica');
});

test('HIST-8: a server that has missed a failover is no replica, however far its own log has come', async (t) => {
  const { url, primary, standby } = await startReplicated(t, { synchronous: true });
  const stage = await start(t, url, primary.url, 50, 'acme');
  // Before the failover the primary is as good as a replica of itself.
  await stage.checkUntil('replica');
  await primary.crash();
  await standby.promote();
  await stage.checkUntil('away');
  await primary.start();
  await primary.ask("SELECT pg_logical_emit_message(false, 'test', repeat('x', 4000000))");
  const [ahead] = await standby.ask('SELECT pg_current_wal_lsn()::text AS lsn');
  const [is] = await primary.ask(
    `SELECT pg_current_wal_insert_lsn() > '${String(ahead?.lsn)}'::pg_lsn AS ahead`,
  );
  assert.equal(is?.ahead, true);
  const { replica } = await stage.reads();
  await stage.checkUntil('behind');
  assert.equal((await stage.reads()).replica, replica);
});
