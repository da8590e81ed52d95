// Extracts the seqs of clients from a stretch of the log, in the form that is kept with the snapshot at its
// end.
import { type ClientPairs, PAIRS, type StoredDelta } from './store.ts';

/** `deltas` are in the order of their versions. */
export function clientPairs(
  deltas: Iterable<Pick<StoredDelta, 'client' | 'user' | 'seq' | 'version'>>,
): readonly ClientPairs[] {
  const clients = new Map<
    string,
    { user: string; lastSeq: number; pairs: [seq: number, version: number][] }
  >();
  for (const { client, user, seq, version } of deltas) {
    const known = clients.get(client);
    if (known === undefined) clients.set(client, { user, lastSeq: seq, pairs: [[seq, version]] });
    else {
      known.user = user;
      known.lastSeq = Math.max(known.lastSeq, seq);
      known.pairs.push([seq, version]);
    }
  }
  return [...clients].map(([client, { user, lastSeq, pairs }]) => ({
    client,
    user,
    lastSeq,
    pairs: pairs.slice(-PAIRS).reverse(),
  }));
}
