// Extracts the seqs of clients from a stretch of the log, in the form that is kept with the snapshot at its
// end.
import { type ClientPairs, PAIRS } from './store.ts';

/** `deltas` are in the order of their versions. */
export function clientPairs(
  deltas: Iterable<{ readonly client: string; readonly seq: number; readonly version: number }>,
): readonly ClientPairs[] {
  const clients = new Map<string, { lastSeq: number; pairs: [seq: number, version: number][] }>();
  for (const { client, seq, version } of deltas) {
    const known = clients.get(client);
    if (known === undefined) clients.set(client, { lastSeq: seq, pairs: [[seq, version]] });
    else {
      known.lastSeq = Math.max(known.lastSeq, seq);
      known.pairs.push([seq, version]);
    }
  }
  return [...clients].map(([client, { lastSeq, pairs }]) => ({
    client,
    lastSeq,
    pairs: pairs.slice(-PAIRS).reverse(),
  }));
}
