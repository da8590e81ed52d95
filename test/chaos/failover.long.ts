// PostgreSQL fails over to an asynchronous standby under load, with two nodes: clients get another history if
// commits are missing, and all clients end with the same document.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLogs } from '../../loadtest/checker/log.ts';
import { sameContent } from '../../loadtest/checker/replica.ts';
import { startReplicated } from '../support/replicated-postgres.ts';
import { closingInReverse, startLoad } from './failover-load.ts';

test('failover to an asynchronous standby: lost commits lead to another history, never to a fork', async (context) => {
  const t = closingInReverse(context);
  const database = await startReplicated(t, { synchronous: false });
  const load = await startLoad(t, database.url);
  await load.moreEdits();
  await database.caughtUp();
  await database.stopReplication();
  const kept = new Map(load.editors.map(({ document }) => [document, document.version]));
  await load.moreEdits();
  assert.ok([...kept].every(([document, version]) => document.version > version));
  await database.primary.crash();
  await database.standby.promote();
  await load.moreEdits();
  await load.stop();
  for (const [doc, seen] of load.historiesOf()) assert.ok(seen.size === 2, `${doc}: ${[...seen].join()}`);
  const [node] = load.nodes;
  const logs = await readLogs({ url: node.socketUrl, random: Math.random }, load.docs).catch(() => []);
  assert.deepEqual(logs.map(({ doc }) => doc).sort(), [...load.docs].sort());
  const [first] = load.clients;
  for (const { document } of load.editors) {
    const same = load.editors.filter(({ document: other }) => other.doc === document.doc);
    for (const { document: other } of same) {
      assert.equal(other.version, document.version);
      const [left, right] = [document.replica, other.replica];
      assert.ok(left !== undefined && right !== undefined && first !== undefined);
      assert.ok(sameContent(left.kind, left.content(), right.content()), `${document.doc} has forked`);
    }
  }
});
