// The work that a worker does before it reports that it serves. It makes the reads that opening a document
// makes, for one and for many documents, on every connection, and it orders, folds and frames a small
// document of each kind. The first document that is opened then waits for no connection, no plan and no
// compiler. The warm-up changes nothing, here or in the store.
import { kindOf } from '../../kinds/registry.ts';
import type { KindName } from '../../protocol/messages.ts';
import { Document } from '../document/document.ts';
import type { AnyKind } from '../document/entry.ts';
import { EncodedSnapshot } from '../document/snapshots/encoded-snapshot.ts';
import { commitFrame, openedSnapshot } from '../document/subscribers/frames.ts';
import { JSON_FRAMES, jsonOp, type LinkOp, MSGPACK_FRAMES, UPDATE_OP } from '../link/link-messages.ts';
import type { WorkerStore } from '../storage/store.ts';

export async function warmUp(store: WorkerStore, connections: number): Promise<void> {
  const read = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      await store.find(...NO_NAME);
      await store.load([NO_DOCUMENT]);
      await store.clients(NO_DOCUMENT, 1);
      await store.findAll([NO_NAME, NO_NAME]);
      await store.load([NO_DOCUMENT, NO_DOCUMENT], 1);
      await store.clientsOfAll([NO_DOCUMENT, NO_DOCUMENT], 1);
      await store.clientSeqs(NO_DOCUMENT, '-', 0);
    }
  };
  await Promise.all(Array.from({ length: connections }, read));
  for (const [kind, op] of PATCHES) for (let round = 0; round < ROUNDS; round++) rehearse(kindOf(kind), op);
}

const ROUNDS = 4;
/** No document has this id: ids are positive. */
const NO_DOCUMENT = 0;
const NO_NAME = ['-', '-'] as const;
const LIMITS = { documentBytes: 65_536, depth: 32, workMs: 50 };
const PATCHES: readonly (readonly [KindName, LinkOp])[] = [
  ['rich-text', jsonOp('[{"insert":"text"}]')],
  ['json', jsonOp('[{"op":"add","path":"/key","value":[1]}]')],
  ['yjs', [UPDATE_OP, new Uint8Array([0, 0])]],
];

function rehearse(kind: AnyKind, op: LinkOp): void {
  const empty = { id: NO_DOCUMENT, snapshotVersion: 0, snapshot: undefined, deltas: [] };
  const document = new Document(kind, empty, { clients: [], someForgotten: false }, LIMITS);
  for (let seq = 1; seq <= ROUNDS; seq++) {
    const submission = { client: 'rehearsal', user: '', seq, base: seq - 1, op };
    const submitted = document.submit(submission, []);
    if (submitted.type !== 'committed') throw new Error(`${kind.name}: ${submitted.type}`);
    for (const codec of [JSON_FRAMES, MSGPACK_FRAMES] as const)
      commitFrame(codec, kind, '-/-', seq, [submitted.entry]);
  }
  const head = {
    doc: '-/-',
    kind: kind.name,
    history: '0',
    version: ROUNDS,
    role: 'owner',
    lastSeq: 0,
    presence: new Map<string, string>(),
    client: 'rehearsal',
  } as const;
  for (const codec of [JSON_FRAMES, MSGPACK_FRAMES] as const)
    openedSnapshot(codec, head, new EncodedSnapshot(document.snapshot()));
}
