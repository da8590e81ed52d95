// PostgreSQL fails over to a synchronous standby under load, with two nodes: no acknowledged edit is lost.
// failover.long.ts has an asynchronous standby.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../loadtest/checker/checker.ts';
import { readLogs, readStored } from '../../loadtest/checker/log.ts';
import { startReplicated } from '../support/replicated-postgres.ts';
import { closingInReverse, KINDS, startLoad } from './failover-load.ts';

test('failover to a synchronous standby: no acknowledged edit is lost, and the clients go on', async (context) => {
  const t = closingInReverse(context);
  const database = await startReplicated(t, { synchronous: true });
  const load = await startLoad(t, database.url);
  await load.moreEdits();
  await database.primary.crash();
  await database.standby.promote();
  await load.moreEdits();
  await load.stop();
  const [node] = load.nodes;
  const logs = await readLogs({ url: node.socketUrl, random: Math.random }, load.docs);
  const stored = await readStored(database.standby.url, logs);
  const records = load.clients.flatMap((client) => client.recorder.records());
  assert.deepEqual(check(stored, records), []);
  assert.deepEqual(
    [...load.historiesOf()].map(([, seen]) => seen.size),
    KINDS.map(() => 1),
  );
});
