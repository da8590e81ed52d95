// Replaying recorded sessions: an order in which every author can have seen the edits that it saw, and the
// resulting texts, on a server in memory. replay.long.ts has the trace of real authors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { check } from '../../loadtest/checker/checker.ts';
import { readLogs } from '../../loadtest/checker/log.ts';
import { seededRandom } from '../../loadtest/clients/random-edits.ts';
import { type ReplayOptions, replayTrace } from '../../loadtest/replay/replay.ts';
import type { Trace } from '../../loadtest/replay/trace.ts';
import { mergeTrace } from '../../loadtest/replay/trace-merge.ts';
import { planTrace } from '../../loadtest/replay/trace-plan.ts';
import { type FakeFaults, startFakeServer } from './fake-server.ts';
import { fuzzRuns, randomTrace } from './support.ts';
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
    assert.ok((await replayChecked(trace, kind, { overloadEvery: 7 })).equal);
  });

  test(`a replay goes on after crashes of the server, as ${kind}`, async () => {
    const trace = randomTrace(seededRandom(8), 3, 300, 'server');
    let next = 60;
    const result = await replayChecked(trace, kind, {}, (committed, crash) => {
      if (committed < next) return;
      next += 60;
      crash();
    });
    assert.ok(result.equal);
  });

  test(`any authors’ histories are replayed, with or without a common order, as ${kind}`, async () => {
    const modes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.constantFrom('server', 'peers' as const), async (seed, exchange) => {
        const trace = randomTrace(seededRandom(seed), 4, 80, exchange);
        const result = await replayChecked(trace, kind);
        modes.add(result.mode);
        assert.equal(result.text, trace.endContent);
      }),
      { numRuns: fuzzRuns(12), seed: 1 },
    );
    assert.deepEqual([...modes].sort(), ['merged', 'ordered']);
  });
}

test('a server that does not transform does not get through a replay', async () => {
  const trace = randomTrace(seededRandom(9), 3, 200, 'server');
  await assert.rejects(async () => {
    const result = await replayChecked(trace, 'rich-text', { transform: 'out' });
    assert.ok(result.equal);
  });
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

/** Runs the whole replay against a fake server, and the checker on its record. */
async function replayChecked(
  trace: Trace,
  kind: ReplayOptions['kind'],
  faults: FakeFaults = {},
  onProgress: (committed: number, crash: () => void) => void = () => undefined,
) {
  const server = await startFakeServer(faults);
  try {
    const result = await replayTrace({
      url: server.url,
      trace,
      kind,
      doc: 'acme/trace',
      random: seededRandom(3),
      onProgress: (committed) => onProgress(committed, server.crash),
    });
    const logs = await readLogs({ url: server.url, random: seededRandom(4) }, ['acme/trace']);
    assert.deepEqual(check(logs, result.records), []);
    return result;
  } finally {
    await server.close();
  }
}
