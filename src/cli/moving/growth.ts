// The difference of two states of a Yjs document. It decides whether there is anything to write, so that a second
// run writes nothing. It builds the document, and belongs into commands alone.
import * as Y from 'yjs';
import { EMPTY_UPDATE } from '../../../kinds/yjs/known.ts';
import { parseUpdate } from '../../../kinds/yjs/parse.ts';
import type { Grown } from './stores/yjs-store.ts';

/** Undefined if `there` has all of the update `bytes` already. `bad`: they are no Yjs update in v1 encoding. */
export function growth(there: Uint8Array | undefined, bytes: Uint8Array): Grown | undefined | 'bad' {
  const parsed = parseUpdate(bytes, Number.POSITIVE_INFINITY);
  if (!parsed.ok) return 'bad';
  const update = parsed.value;
  // An empty document is a document too, where there is none.
  if (there === undefined) return { whole: update, added: update };
  const doc = new Y.Doc({ gc: false });
  try {
    Y.applyUpdate(doc, there);
    const waitedBefore = waiting(doc);
    const events: Uint8Array[] = [];
    doc.on('update', (event: Uint8Array) => events.push(event));
    Y.applyUpdate(doc, update);
    // Structs whose predecessors are missing cause no event.
    const added = waiting(doc).equals(waitedBefore)
      ? events.length > 0
        ? Y.mergeUpdates(events)
        : undefined
      : Y.diffUpdate(update, Y.encodeStateVectorFromUpdate(there));
    return added === undefined ? undefined : { whole: Y.mergeUpdates([there, added]), added };
  } finally {
    doc.destroy();
  }
}

/** The structs and deletions that wait for updates that are missing. */
function waiting({ store }: Y.Doc): Buffer {
  return Buffer.concat([store.pendingStructs?.update ?? EMPTY_UPDATE, store.pendingDs ?? EMPTY_UPDATE]);
}
