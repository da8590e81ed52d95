// The kind `json`: documents are JSON values, patches are JSON Patches (RFC 6902). It puts parsing,
// transforming and applying together.
import type { DocumentKind } from '../kind.ts';
import { applySteps } from './apply.ts';
import { compose } from './compose.ts';
import { HELD_SHAPE, type HeldShape, plain } from './held/held.ts';
import { Sizes } from './held/sizes.ts';
import { readPieces, writePieces } from './held/text.ts';
import { invert } from './invert.ts';
import { fitAt } from './meeting/at-base.ts';
import { commit } from './meeting/commit.ts';
import { carry, transform } from './meeting/transform.ts';
import { isAsSent, noteOf, parse, recall, wireOf } from './parse.ts';
import { type JsonState, type JsonUndo, memoryOf, revert, stateOf, stateWith } from './state.ts';
import type { JsonOp } from './step.ts';
import { copyChecked } from './value.ts';
import { work } from './work.ts';

export type { JsonOp, JsonState, JsonUndo };

export interface JsonKind extends DocumentKind<JsonState, JsonOp, JsonUndo> {
  /**
   * Transforms `past` past `op`; both were made on one version, and `op` commits later. Patches that build
   * on `op` are transformed past the result. The result serves transforming only and must never be applied.
   */
  carry(past: JsonOp, op: JsonOp): JsonOp;
}

const NO_SIZES: JsonUndo['sizes'] = [];

/** The kind, with its documents held in the given shape. */
export const jsonKindOf = (shape: HeldShape): JsonKind => ({
  name: 'json',

  create: () => stateOf({}, shape),
  load(snapshot) {
    const report = { problem: '' };
    const root = copyChecked(snapshot, Number.POSITIVE_INFINITY, report);
    if (root === undefined) throw new Error(`not a snapshot of kind json: ${report.problem}`);
    return stateOf(root, shape);
  },
  snapshot: (state) => plain(state.root),
  *readText(text) {
    const sizes = new Sizes(shape);
    return stateWith(sizes, yield* readPieces(text, sizes));
  },
  writeText: (state) => writePieces(state.root, state.sizes),
  size: (state) => state.bytes,
  memory: memoryOf,

  parse,
  wire: wireOf,
  isAsSent,
  note: noteOf,
  recall,

  work,
  transform,
  carry,
  commit,

  apply(state, op) {
    const applied = applySteps(state, op.steps.entries(), undefined);
    if (applied.ok) return applied;
    const { code, message } = applied;
    return { ok: false, code: code === 'path' || code === 'deep' ? 'bad-op' : code, message };
  },
  revert,
  compose,
  invert,
  isEmpty: (op) => op.steps.length === 0,

  looksBack: {
    // Sizes serve only the taking back.
    kept: ({ edits, bytes, containers, memory }) => ({ edits, bytes, containers, sizes: NO_SIZES, memory }),
    memory: (undo) => undo.memory,
    fit: (state, op) => fitAt(state, op),
  },
});

export const jsonKind: JsonKind = jsonKindOf(HELD_SHAPE);
