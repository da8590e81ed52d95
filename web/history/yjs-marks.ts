// The authors of the parts of a `yjs` document that were written in one period. An update names what it brings by the client
// of Yjs that made it and by places of that client's clock. Pure.
import * as Y from 'yjs';
import type { Wire } from '../../protocol/messages.ts';
import type { AuthorOf } from '../views/yjs/text.ts';
import type { PastPatch } from './past.ts';
import { authorOf } from './periods.ts';

interface Stretch {
  readonly from: number;
  end: number;
  readonly by: string;
}

/** Parts that none of the patches has brought have no author. */
export function markedItems(patches: readonly PastPatch[]): AuthorOf {
  const clients = new Map<number, Stretch[]>();
  for (const patch of patches) {
    const by = authorOf(patch).key;
    for (const struct of Y.decodeUpdate(bytesOf(patch.op)).structs) {
      if (struct instanceof Y.Skip) continue;
      const { id, length } = struct;
      const stretches = clients.get(id.client) ?? [];
      clients.set(id.client, stretches);
      const last = stretches.at(-1);
      if (last?.by === by && last.end === id.clock) last.end += length;
      else stretches.push({ from: id.clock, end: id.clock + length, by });
    }
  }
  return (client, clock) => clients.get(client)?.find(({ from, end }) => from <= clock && clock < end)?.by;
}

/** Bytes as the HTTP interface writes them in JSON. */
export const bytesOf = (wire: Wire): Uint8Array =>
  Uint8Array.from(atob(typeof wire === 'string' ? wire : ''), (character) => character.charCodeAt(0));
