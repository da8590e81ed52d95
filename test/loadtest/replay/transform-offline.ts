// The clients and the server of a planned replay without sockets, for tests of what transformation commits.
import { Delta } from '../../../client/ot/delta.ts';
import { RichTextAuthor } from '../../../loadtest/clients/author.ts';
import type { Trace } from '../../../loadtest/replay/trace.ts';
import type { TracePlan } from '../../../loadtest/replay/trace-plan.ts';

/**
 * Returns the log, the text of each author, how many edits were made at their place in the log (`exact`), and
 * how many were transformed past later ones (`carried`).
 */
export function transformOffline(trace: Trace, plan: TracePlan) {
  const authors = plan.byAgent.map(() => new RichTextAuthor());
  const log: Delta[] = [];
  let exact = 0;
  let carried = 0;
  for (const step of plan.steps) {
    const patch = authors[step.agent]?.edit(step, trace.txns[step.txn]?.patches ?? []);
    const base = patch?.base ?? 0;
    let delta = new Delta(patch?.op as Delta['ops']);
    if (base === step.prefix) exact += 1;
    if (base < log.length) carried += 1;
    for (const past of log.slice(base)) delta = past.transform(delta, true);
    log.push(delta);
    for (const [agent, author] of authors.entries()) {
      if (agent !== step.agent) author.receive(step, [...delta.ops] as never);
    }
  }
  return { log, texts: authors.map((author) => author.text()), exact, carried };
}
