// DUR-1, ORDER-1: the output gate.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../../../actors/document/entry.ts';
import { Gate } from '../../../actors/document/gate.ts';

const entry = (version: number): Entry => ({
  version,
  client: 'client-1',
  seq: version,
  op: [],
  stored: undefined,
  size: 2,
});

test('DUR-1 nothing that saw an uncommitted patch leaves before it is durable, and all leaves in order', () => {
  const gate = new Gate(4);
  const out: string[] = [];
  const run = (entries: readonly Entry[]): void =>
    void out.push(`run ${entries.map((e) => e.version).join()}`);
  gate.hold(4, () => out.push('at once'));
  gate.commit(entry(5));
  gate.commit(entry(6));
  gate.hold(6, () => out.push('opened at 6'));
  gate.hold(4, () => out.push('behind it though it saw 4'));
  gate.commit(entry(7));
  assert.deepEqual(out, ['at once']);
  gate.release(5, run);
  assert.deepEqual(out, ['at once', 'run 5']);
  gate.release(6, run);
  assert.deepEqual(out, ['at once', 'run 5', 'run 6', 'opened at 6', 'behind it though it saw 4']);
  gate.release(7, run);
  assert.equal(out.at(-1), 'run 7');
  assert.ok(gate.isEmpty);
});

test('ORDER-1 patches of one commit with nothing between them are one run', () => {
  const gate = new Gate(0);
  const runs: number[][] = [];
  for (let v = 1; v <= 5; v++) gate.commit(entry(v));
  gate.release(5, (entries) => runs.push(entries.map((e) => e.version)));
  assert.deepEqual(runs, [[1, 2, 3, 4, 5]]);
});
