// The kind `yjs`: a patch is one Yjs update in v1 encoding. Updates commute, so nothing is transformed. An
// update whose predecessors are missing is legal and takes effect when they come. A commit never builds a
// Y.Doc; only collectGarbage does, and it belongs in a pool for heavy work.
import * as Y from 'yjs';
import type { Wire } from '../../protocol/messages.ts';
import type { Applied, DocumentKind, Result, Work } from '../kind.ts';
import { refuseWork } from '../work.ts';
import { EMPTY_UPDATE, Known } from './known.ts';
import { parseUpdate } from './parse.ts';
import { type Piece, Updates } from './updates.ts';

export type { Piece, Updates } from './updates.ts';

/** From this size on, merging takes milliseconds and is offered to another thread. */
const LARGE_BYTES = 64 * 1024;

/**
 * `Undo` is the document before the patch. It shares all but the newest pieces with the document after the
 * patch.
 */
export const yjsKind: DocumentKind<Updates, Uint8Array, Piece> = {
  name: 'yjs',

  create: () => new Updates(EMPTY_UPDATE),
  load: (snapshot) => {
    const known = new Known();
    return new Updates(trusted(snapshot, 'snapshot', known), known);
  },
  snapshot: (state) => new Uint8Array(state.merged()),
  unmerged: (state) => {
    if (state.bytes < LARGE_BYTES || state.top.below === undefined) return undefined;
    const { top, pieces } = state;
    return {
      updates: pieces,
      adopt: (merged) => {
        state.replace(top, [merged]);
      },
    };
  },
  mark: (state) => {
    const mark = state.mark();
    return {
      adopt: (smaller) =>
        smaller.reduce((sum, { length }) => sum + length, 0) < mark.total && state.replace(mark, smaller),
    };
  },
  size: (state) => base64Length(state.bytes),
  memory: (state) => 2 * state.bytes + state.known.memory,

  parse: (wire, limits) => parseUpdate(wire, limits.depth),
  wire: (op) => op,
  /** The log has updates, never their base64. */
  isAsSent: () => false,
  note: () => undefined,
  recall: (wire) => trusted(wire, 'patch'),

  work,
  transform: (op) => op,

  commit: (state, op, _past, limits) => {
    const refused = refuseWork(work(op), limits);
    if (refused !== undefined) return refused;
    const fits = () => base64Length(state.bytes + op.length) <= limits.documentBytes;
    // Merging reduces the counted bytes, but takes seconds in a large document. It is done only if at least
    // half of the bytes have come since the last merge, so a document that is nearly full is not merged
    // again and again.
    if (!fits() && state.bytes - state.bottom.total > state.bytes / 2) state.merged();
    if (fits()) return apply(state, op);
    return {
      ok: false,
      code: 'too-large',
      message: `the document would exceed ${limits.documentBytes} bytes`,
    };
  },

  apply,
  revert: (state, undo) => state.restore(undo),
  compose: (first, second) => Y.mergeUpdates([first, second]),

  /** Always throws: only the client that made an update can take it back, with Y.UndoManager. */
  invert: () => {
    throw new Error('a Yjs update has no inverse: undo with Y.UndoManager in the client');
  },

  isEmpty: (op) => op.length === 2 && op[0] === 0 && op[1] === 0,

  vectors: {
    of: (state) => state.known.stateVector,
    lackOf: (state, vector, recent) => state.known.lackOf(vector, recent),
    newIn: (state, op) => {
      const update = state.known.newIn(op);
      return update.length === EMPTY_UPDATE.length ? undefined : update;
    },
  },
};

function apply(state: Updates, op: Uint8Array): Result<Applied<Uint8Array, Piece>> {
  const undo = state.top;
  state.push(op);
  return { ok: true, value: { op, undo } };
}

/**
 * Returns the same document without the content of deleted structs. Structs that still wait for others are
 * kept. This is heavy: it builds the document. Throws if Yjs cannot apply the snapshot.
 */
export function collectGarbage(snapshot: Uint8Array): Uint8Array {
  const doc = new Y.Doc({ gc: true });
  try {
    Y.applyUpdate(doc, snapshot);
    return Y.encodeStateAsUpdate(doc);
  } finally {
    doc.destroy();
  }
}

/**
 * The same as `collectGarbage` if the result has all structs and deletions of the snapshot, and the snapshot itself
 * otherwise: what a client has written is never given up.
 */
export function withoutGarbage(snapshot: Uint8Array): Uint8Array {
  const collected = collectGarbage(snapshot);
  const known = new Known();
  known.add(collected);
  return known.newIn(snapshot).length === EMPTY_UPDATE.length ? collected : snapshot;
}

/** Microseconds for checking, keeping and encoding one byte of an update (`npm run work`). */
const BYTE_US = 0.02;

/** Updates commute, so the patches committed since cost nothing. */
function work(op: Uint8Array): Work {
  return { transformMs: 0, applyMs: (BYTE_US * op.length) / 1000 };
}

/** Bytes in padded base64. */
const base64Length = (bytes: number): number => Math.ceil(bytes / 3) * 4;

function trusted(wire: Wire, what: string, known?: Known): Uint8Array {
  const parsed = parseUpdate(wire, Number.POSITIVE_INFINITY, known);
  if (!parsed.ok) throw new Error(`not a yjs ${what}: ${parsed.message}`);
  return parsed.value;
}
