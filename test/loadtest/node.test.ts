// What drives load, small, against a real node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../loadtest/checker.ts';
import { garbageRun } from '../../loadtest/garbage.ts';
import { readLogs, readStored } from '../../loadtest/log.ts';
import { seededRandom } from '../../loadtest/random-edits.ts';
import { replayTrace } from '../../loadtest/replay.ts';
import { soakRun } from '../../loadtest/soak.ts';
import { readTrace } from '../../loadtest/trace.ts';
import { startTestNode } from '../support/node.ts';

const REPLAY = { limits: { submitsPerSecond: 1_000_000 } };

for (const [name, kind] of [
  ['clownschool', 'rich-text'],
  ['clownschool', 'yjs'],
  ['sveltecomponent', 'rich-text'],
] as const) {
  test(`${name} replayed as ${kind} ends as its authors left it`, async (t) => {
    const node = await startTestNode(t, { config: REPLAY });
    const trace = await readTrace(`test/data/traces/${name}.json.gz`);
    const random = seededRandom(1);
    const result = await replayTrace({ url: node.socketUrl, trace, kind, doc: 'replay/trace', random });
    assert.equal(result.text, trace.endContent);
    const logs = await readLogs({ url: node.socketUrl, random }, ['replay/trace']);
    assert.equal(logs[0]?.rows.length, trace.txns.length);
    assert.deepEqual(check(await readStored(node.storageUrl, logs), result.records), []);
  });
}

test('frames of garbage are answered with codes, and nobody else notices', async (t) => {
  const node = await startTestNode(t);
  const result = await garbageRun({ url: node.socketUrl, frames: 1_500, throwers: 4, seed: 1 });
  assert.deepEqual(result.faults, []);
  assert.ok(result.thrown >= 1_500);
  assert.ok((result.closes[4400] ?? 0) > 0 && (result.answers['bad-message'] ?? 0) > 0);
});

test('a steady rate of edits on many documents ends without error or gap', async (t) => {
  const node = await startTestNode(t);
  const options = {
    url: node.socketUrl,
    node: undefined,
    sockets: 60,
    documents: 6,
    seconds: 2,
    rate: 10,
    seed: 1,
  };
  const result = await soakRun(options);
  assert.deepEqual(result.violations, []);
  assert.deepEqual({ errors: result.errors, losses: result.losses }, { errors: {}, losses: {} });
  assert.equal(result.edits.unknown, 0);
  assert.ok(result.latency.count > 0);
});
