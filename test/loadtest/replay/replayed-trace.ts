// A trace of real authors, replayed by clients against a real node, for the tests of several traces.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../../loadtest/checker/checker.ts';
import { readLogs, readStored } from '../../../loadtest/checker/log.ts';
import { seededRandom } from '../../../loadtest/clients/random-edits.ts';
import { replayTrace } from '../../../loadtest/replay/replay.ts';
import { readTrace } from '../../../loadtest/replay/trace.ts';
import { judgeReplay } from '../../../loadtest/replay/verdict.ts';
import { startTestNode } from '../../support/node.ts';

const REPLAY = { limits: { submitsPerSecond: 1_000_000 } };

/** Declares the test: the node ends with the authors' text, and told every client the truth. */
export function endsAsItsAuthorsLeftIt(name: string, kind: 'rich-text' | 'yjs'): void {
  test(`${name} replayed as ${kind} ends as its authors left it`, async (t) => {
    const node = await startTestNode(t, { config: REPLAY });
    const trace = await readTrace(`test/data/traces/${name}.json.gz`);
    const random = seededRandom(1);
    const result = await replayTrace({ url: node.socketUrl, trace, kind, doc: 'replay/trace', random });
    const logs = await readLogs({ url: node.socketUrl, random }, ['replay/trace']);
    const [log] = logs;
    assert.ok(log !== undefined);
    assert.deepEqual(judgeReplay(trace, result, log), { faults: [], end: 'recorded' });
    assert.deepEqual(check(await readStored(node.storageUrl, logs), result.records), []);
  });
}
