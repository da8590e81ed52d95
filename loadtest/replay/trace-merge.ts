// Merges a trace outside the server: every step becomes one patch on the version right before it. For traces
// whose plan has no common order, and as a second opinion on every trace. Uses Yjs, which can hold
// any set of transactions that contains its causes; never uses the product's kinds.
import * as Y from 'yjs';
import { Delta } from '../../client/ot/delta.ts';
import { YjsAuthor } from '../clients/author.ts';
import { CodePointText } from '../clients/code-points.ts';
import type { Trace } from './trace.ts';
import type { TracePlan } from './trace-plan.ts';

/** The delta of each step, in the plan's order, as it applies after all steps before it. */
export function mergeTrace(trace: Trace, plan: TracePlan, ids?: IdOrder): Delta[] {
  const authors = plan.byAgent.map((_, agent) => new YjsAuthor(idOf(agent, ids)));
  const head = new Y.Doc();
  let change = new Delta();
  head.getText('text').observe((event) => {
    change = new Delta();
    for (const op of event.delta) {
      if (typeof op.insert === 'string') change.insert(op.insert);
      else if (op.retain !== undefined) change.retain(op.retain);
      else if (op.delete !== undefined) change.delete(op.delete);
    }
  });
  return plan.steps.map((step) => {
    const { op } = author(authors, step.agent).edit(step, trace.txns[step.txn]?.patches ?? []);
    for (const [agent, other] of authors.entries()) if (agent !== step.agent) other.receive(step, op);
    change = new Delta();
    if (op instanceof Uint8Array) Y.applyUpdate(head, op);
    return change;
  });
}

/** The text after all steps. Of two insertions at one place the order of the ids decides which stands first. */
export function mergedText(trace: Trace, plan: TracePlan, ids: IdOrder): string {
  const text = new CodePointText();
  for (const delta of mergeTrace(trace, plan, ids)) text.applyDelta(delta.ops);
  return text.toString();
}

/** The order of the agents' ids in Yjs. Default: random ids. */
export type IdOrder = 'rising' | 'falling';

const MOST_AGENTS = 1_000_000;

function idOf(agent: number, ids: IdOrder | undefined): number | undefined {
  if (ids === undefined) return undefined;
  return ids === 'rising' ? agent + 1 : MOST_AGENTS - agent;
}

function author(authors: readonly YjsAuthor[], agent: number): YjsAuthor {
  const found = authors[agent];
  if (found === undefined) throw new RangeError(`no agent ${agent}`);
  return found;
}
