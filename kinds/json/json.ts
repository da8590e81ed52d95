// The kind `json`: documents are JSON values, patches are JSON Patches (RFC 6902). Puts together
// parsing, transforming and applying.
import type { DocumentKind } from '../kind.ts';
import { applySteps, type JsonState, type JsonUndo, revert } from './apply.ts';
import { commit } from './commit.ts';
import { compose } from './compose.ts';
import { invert } from './invert.ts';
import { noteOf, parse, recall, wireOf } from './parse.ts';
import type { JsonOp } from './step.ts';
import { carry, transform } from './transform.ts';
import { bytesOf, clone, copyChecked } from './value.ts';
import { work } from './work.ts';

export type { JsonOp, JsonState, JsonUndo };

export interface JsonKind extends DocumentKind<JsonState, JsonOp, JsonUndo> {
  /**
   * `past` as it applies after `op`, both made on one version, `op` committing later: what patches
   * that stand on `op` are transformed past. Good for transforming only; never to be applied.
   */
  carry(past: JsonOp, op: JsonOp): JsonOp;
}

export const jsonKind: JsonKind = {
  name: 'json',

  create: () => ({ root: {}, bytes: 2 }),
  load(snapshot) {
    const report = { problem: '' };
    const root = copyChecked(snapshot, Number.POSITIVE_INFINITY, report);
    if (root === undefined) throw new Error(`not a snapshot of kind json: ${report.problem}`);
    return { root, bytes: bytesOf(root) };
  },
  snapshot: (state) => clone(state.root),
  size: (state) => state.bytes,

  parse,
  wire: wireOf,
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
};
