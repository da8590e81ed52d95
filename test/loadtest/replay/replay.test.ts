// Replaying recorded sessions: an order in which every author can have seen the edits that it saw, and the
// resulting texts, on a server in memory. replay.long.ts has the trace of real authors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { check } from '../../../loadtest/checker/checker.ts';
import { readLogs } from '../../../loadtest/checker/log.ts';
import { seededRandom } from '../../../loadtest/clients/random-edits.ts';
import { type ReplayOptions, replayTrace } from '../../../loadtest/replay/replay.ts';
import type { Trace } from '../../../loadtest/replay/trace.ts';
import { mergeTrace } from '../../../loadtest/replay/trace-merge.ts';
import { planTrace } from '../../../loadtest/replay/trace-plan.ts';
import { judgeReplay } from '../../../loadtest/replay/verdict.ts';
import { fuzzRuns } from '../../support/fuzz-runs.ts';
import { type FakeFaults, startFakeServer } from '../fake-server.ts';
import { randomTrace } from '../support.ts';
import { transformOffline } from './transform-offline.ts';

test('if authors exchange through a server, transformation commits the same as a CRDT merges, at every version', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 2, max: 4 }), (seed, agents) => {
      const trace = randomTrace(seededRandom(seed), agents, 60, 'server');
      const plan = planTrace(trace);
      assert.equal(plan.mode, 'ordered');
      const { log, texts } = transformOffline(trace, plan);
      assert.deepEqual(
        texts,
        plan.byAgent.map(() => trace.endContent),
      );
      const merged = mergeTrace(trace, plan);
      for (const [place, delta] of log.entries()) assert.deepEqual(delta.ops, merged[place]?.ops);
    }),
    { numRuns: fuzzRuns(30) },
  );
});

for (const kind of ['rich-text', 'yjs'] as const) {
  test(`a refused submit holds up those behind it and changes nothing, as ${kind}`, async () => {
    const trace = randomTrace(seededRandom(7), 3, 300, 'server');
    await replayChecked(trace, kind, { overloadEvery: 7 });
  });

  test(`a replay goes on after crashes of the server, as ${kind}`, async () => {
    const trace = randomTrace(seededRandom(8), 3, 300, 'server');
    let next = 60;
    await replayChecked(trace, kind, {}, (committed, crash) => {
      if (committed < next) return;
      next += 60;
      crash();
    });
  });

  test(`any authors’ histories are replayed, with or without a common order, as ${kind}`, async () => {
    const modes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.constantFrom('server', 'peers' as const), async (seed, exchange) => {
        const trace = randomTrace(seededRandom(seed), 4, 80, exchange);
        const { result } = await replayChecked(trace, kind);
        modes.add(result.plan.mode);
      }),
      { numRuns: fuzzRuns(12), seed: 1 },
    );
    assert.deepEqual([...modes].sort(), ['merged', 'ordered']);
  });
}

test('a server that does not transform does not get through a replay', async () => {
  const trace = randomTrace(seededRandom(9), 3, 200, 'server');
  await assert.rejects(replayChecked(trace, 'rich-text', { transform: 'out' }));
});

/** Two authors insert at one place, and neither has seen the other. */
const TIE: Trace = {
  agents: 2,
  txns: [
    { agent: 0, parents: [], patches: [[0, 0, 'ab']] },
    { agent: 0, parents: [0], patches: [[1, 0, 'X']] },
    { agent: 1, parents: [0], patches: [[1, 0, 'Y']] },
  ],
  endContent: undefined,
};

for (const kind of ['rich-text', 'yjs'] as const) {
  test(`a replay is right with either order of two insertions at one place, as ${kind}`, async () => {
    const { result, log, verdict } = await replayed(TIE, kind);
    assert.deepEqual(verdict, { faults: [], end: 'unknown' });
    const ends = ['aXYb', 'aYXb'].map((endContent) => judgeReplay({ ...TIE, endContent }, result, log));
    assert.deepEqual(ends.map(({ end }) => end).sort(), ['recorded', 'tied']);
    assert.deepEqual(
      ends.flatMap(({ faults }) => faults),
      [],
    );
  });

  test(`an end that no merge gives is a fault, as ${kind}`, async () => {
    const trace = randomTrace(seededRandom(12), 2, 40, 'server');
    const { result, log } = await replayed(trace, kind);
    const { end, faults } = judgeReplay({ ...trace, endContent: `${trace.endContent}!` }, result, log);
    assert.deepEqual([end, faults.length], ['other', 1]);
  });

  test(`the verdict bites if the log, an author or a patch is another one, as ${kind}`, async () => {
    const trace = randomTrace(seededRandom(11), 3, 120, 'server');
    const { result, log } = await replayed(trace, kind);
    const faultsOf = (change: Partial<typeof result>, rows = log.rows) =>
      judgeReplay(trace, { ...result, ...change }, { ...log, rows }).faults.join('\n');
    assert.equal(faultsOf({}), '');
    const [author = ''] = result.texts.keys();
    assert.match(faultsOf({ texts: new Map([...result.texts, [author, 'other']]) }), /holds another text/);
    assert.match(faultsOf({}, log.rows.slice(0, -1)), /120 versions, and 121 transactions/);
    // A version has the patch of the next one.
    const swapped = log.rows.map((row, place) =>
      place === 60 ? { ...row, op: log.rows[61]?.op ?? [] } : row,
    );
    assert.match(faultsOf({}, swapped), kind === 'yjs' ? /merged by Yjs/ : /Quill transforms/);
    assert.match(faultsOf({ records: result.records.slice(1) }), /was submitted by no author/);
    assert.match(faultsOf({ transactions: 0 }), /nothing was replayed/);
  });
}

test('a replay that ends early is right so far', async () => {
  const trace = randomTrace(seededRandom(13), 3, 300, 'server');
  const end = new AbortController();
  const onProgress = (committed: number): void => {
    if (committed >= 50) end.abort();
  };
  const { result, verdict } = await replayed(trace, 'rich-text', {}, onProgress, end.signal);
  assert.deepEqual([result.isComplete, verdict], [false, { faults: [], end: 'unknown' }]);
  assert.ok(result.committed > 0 && result.committed < 300);
});

test('a document that somebody has edited is refused', async () => {
  const trace = randomTrace(seededRandom(10), 2, 10, 'server');
  const server = await startFakeServer();
  const options = {
    url: server.url,
    trace,
    kind: 'rich-text',
    doc: 'acme/used',
    random: Math.random,
  } as const;
  await replayTrace(options);
  await assert.rejects(replayTrace(options), /it has been edited/);
  await server.close();
});

/** Replays, and asserts that the server was right and the end is the recorded one. */
async function replayChecked(...args: Parameters<typeof replayed>) {
  const seen = await replayed(...args);
  assert.deepEqual(seen.verdict, { faults: [], end: 'recorded' });
  return seen;
}

/** Runs a replay against a fake server, with the checker and the verdict on its record. */
async function replayed(
  trace: Trace,
  kind: ReplayOptions['kind'],
  faults: FakeFaults = {},
  onProgress: (committed: number, crash: () => void) => void = () => undefined,
  signal = new AbortController().signal,
) {
  const server = await startFakeServer(faults);
  try {
    const result = await replayTrace({
      url: server.url,
      trace,
      kind,
      doc: 'acme/trace',
      random: seededRandom(3),
      signal,
      onProgress: (committed) => onProgress(committed, server.crash),
    });
    const logs = await readLogs({ url: server.url, random: seededRandom(4) }, ['acme/trace']);
    assert.deepEqual(check(logs, result.records), []);
    const [log] = logs;
    assert.ok(log !== undefined);
    return { result, log, verdict: judgeReplay(trace, result, log) };
  } finally {
    await server.close();
  }
}
