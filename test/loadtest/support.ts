// Generated traces for the tests of the load test.
import * as Y from 'yjs';
import { below, pick, type Random } from '../../loadtest/clients/random-edits.ts';
import type { Trace, TracePatch, TraceTxn } from '../../loadtest/replay/trace.ts';

/**
 * `server`: authors exchange their edits through one log, each author at some version of it, so a common
 * order exists. `peers`: each author merges with any other.
 */
export type Exchange = 'server' | 'peers';

/**
 * A concurrent trace. Each agent inserts into a zone of its own alone, so that no two ever insert at
 * one place, and deletes anywhere but the bars between the zones.
 */
export function randomTrace(random: Random, agents: number, length: number, exchange: Exchange): Trace {
  const docs = Array.from({ length: agents }, () => new Y.Doc());
  const seen = docs.map(() => new Set<number>());
  const txns: TraceTxn[] = [];
  const updates: Uint8Array[] = [];
  const see = (agent: number, index: number) => {
    const update = updates[index];
    if (update === undefined || seen[agent]?.has(index) !== false) return;
    seen[agent].add(index);
    Y.applyUpdate(docs[agent] ?? new Y.Doc(), update);
  };
  const catchUp = (agent: number) => {
    if (exchange === 'server') {
      const upTo = below(random, txns.length + 1);
      for (let index = 0; index < upTo; index++) see(agent, index);
    } else for (const index of [...(seen[below(random, agents)] ?? [])].sort(ascending)) see(agent, index);
  };
  const make = (agent: number, patches: TracePatch[]) => {
    const doc = docs[agent];
    if (doc === undefined) return;
    const before = Y.encodeStateVector(doc);
    doc.transact(() => {
      for (const patch of patches) applyPatch(doc.getText('text'), patch);
    });
    updates.push(Y.encodeStateAsUpdate(doc, before));
    txns.push({ agent, parents: newestOf(txns, seen[agent] ?? new Set(), agents), patches });
    seen[agent]?.add(txns.length - 1);
  };
  make(0, [[0, 0, Array.from({ length: agents }, () => 'a😀b😀c').join('|')]]);
  for (let agent = 1; agent < agents; agent++) see(agent, 0);
  while (txns.length < length) {
    const agent = below(random, agents);
    if (random() < 0.5) catchUp(agent);
    const text = docs[agent]?.getText('text').toString() ?? '';
    make(agent, [randomPatch(random, [...text], agent)]);
  }
  for (let index = 0; index < txns.length; index++) see(0, index);
  make(0, [[0, 0, '!']]);
  return { txns, agents, endContent: docs[0]?.getText('text').toString() ?? '' };
}

const ascending = (left: number, right: number) => left - right;

function randomPatch(random: Random, points: readonly string[], agent: number): TracePatch {
  const from = below(random, points.length + 1);
  if (random() < 0.4 && points[from] !== undefined && points[from] !== '|') {
    const bar = points.indexOf('|', from);
    return [from, 1 + below(random, (bar < 0 ? points.length : bar) - from), ''];
  }
  const bars = points.flatMap((point, at) => (point === '|' ? [at] : []));
  const begin = agent === 0 ? 0 : (bars[agent - 1] ?? 0) + 1;
  const end = bars[agent] ?? points.length;
  return [begin + below(random, end - begin + 1), 0, pick(random, ['x', '😀', 'yz'])];
}

function applyPatch(text: Y.Text, [position, deleted, inserted]: TracePatch): void {
  const points = [...text.toString()];
  const from = points.slice(0, position).join('').length;
  if (deleted > 0) text.delete(from, points.slice(position, position + deleted).join('').length);
  if (inserted !== '') text.insert(from, inserted);
}

/** The last transaction seen of each agent. */
function newestOf(txns: readonly TraceTxn[], seen: ReadonlySet<number>, agents: number): number[] {
  const newest = new Array<number>(agents).fill(-1);
  for (const index of seen) {
    const agent = txns[index]?.agent ?? 0;
    newest[agent] = Math.max(newest[agent] ?? -1, index);
  }
  return newest.filter((index) => index >= 0);
}
