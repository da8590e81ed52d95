// Shorthand for tests of concurrent JSON Patches.
import { type JsonOp, type JsonUndo, jsonKind } from '../../../kinds/json/json.ts';
import type { KindLimits } from '../../../kinds/kind.ts';
import type { Json, Wire } from '../../../protocol/messages.ts';

export const LIMITS: KindLimits = { documentBytes: 1 << 20, depth: 100, workMs: 50 };

export function parsed(wire: unknown): JsonOp {
  const result = jsonKind.parse(wire, LIMITS);
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  return result.value;
}

export interface Met {
  readonly document: Wire;
  /** The last patch as committed, or the code with which it was refused. */
  readonly op: Wire | string;
}

/** Commits `patches`, all made on `document`, one after the other. */
export function meet(document: Json, ...patches: readonly Json[]): Met {
  const state = jsonKind.load(document);
  const log: JsonOp[] = [];
  const undos: JsonUndo[] = [];
  let op: Wire | string = [];
  for (const patch of patches) {
    const committed = jsonKind.commit(state, parsed(patch), log, LIMITS, { undos });
    if (committed.ok) {
      undos.push(committed.value.undo);
      op = jsonKind.wire(committed.value.op);
      // As after a restart, the server knows only the log.
      log.push(jsonKind.recall(JSON.parse(JSON.stringify(op)), jsonKind.note(committed.value.op)));
    } else op = committed.code;
  }
  return { document: jsonKind.snapshot(state), op };
}

/** Commits one patch. Returns it as committed, or the code with which it was refused. */
export function patch(document: Json, steps: unknown): Wire | string {
  const op = jsonKind.parse(steps, LIMITS);
  if (!op.ok) return op.code;
  const state = jsonKind.load(document);
  const committed = jsonKind.commit(state, op.value, [], LIMITS);
  return committed.ok ? jsonKind.snapshot(state) : committed.code;
}
