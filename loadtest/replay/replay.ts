// Replays a recorded trace as real clients over sockets: one client per agent, every transaction one submit,
// each made on exactly the state that its author had seen. Owns the waiting between clients; replay-agent.ts
// plays one client's part, author.ts makes the edits, trace-plan.ts finds the order, verdict.ts judges.
import type { DocumentRecord } from '../checker/records.ts';
import { type Author, MergedRichTextAuthor, RichTextAuthor, YjsAuthor } from '../clients/author.ts';
import { BareClient } from '../clients/bare-client.ts';
import { deferred } from '../clients/deferred.ts';
import { AgentRun, type SharedRun } from './replay-agent.ts';
import type { Trace } from './trace.ts';
import { mergeTrace } from './trace-merge.ts';
import { planTrace, type TracePlan } from './trace-plan.ts';

export interface ReplayOptions {
  /** `ws://…/v1/socket`. */
  readonly url: string;
  readonly trace: Trace;
  readonly kind: 'rich-text' | 'yjs';
  /** A document that does not exist yet. */
  readonly doc: string;
  readonly random: () => number;
  /** Default: json for rich-text, msgpack for yjs. */
  readonly encoding?: 'json' | 'msgpack';
  /** Aborted: the replay ends, and is not complete. */
  readonly signal?: AbortSignal;
  /** Called after each commit with the number of committed transactions. */
  readonly onProgress?: (committed: number) => void;
}

export interface ReplayResult {
  /** The text of each author at the end, by client id. Empty if the replay is not complete. */
  readonly texts: ReadonlyMap<string, string>;
  /** Whether every transaction was committed, and every author got all of them. */
  readonly isComplete: boolean;
  readonly plan: TracePlan;
  readonly clients: number;
  readonly transactions: number;
  /** Transactions of which the author knows that they were committed. */
  readonly committed: number;
  readonly elapsedMs: number;
  /**
   * rich-text: submits on exactly the version that their author had seen, not on a later version of its own.
   */
  readonly exact: number;
  /** rich-text: submits that the server had to transform past others. */
  readonly transformed: number;
  /** Every client's records, for the checker. */
  readonly records: readonly DocumentRecord[];
}

/** Rejects with RunFailure if the server refuses, reorders or loses a step. */
export async function replayTrace(options: ReplayOptions): Promise<ReplayResult> {
  const plan = planTrace(options.trace);
  const began = performance.now();
  const agents = new Set<AgentRun>();
  const failure = deferred<never>();
  const { signal = new AbortController().signal } = options;
  const aborted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  try {
    const texts = await Promise.race([play(options, plan, agents, failure.reject), aborted, failure.promise]);
    return {
      texts: texts ?? new Map(),
      isComplete: texts !== undefined,
      plan,
      clients: agents.size,
      transactions: plan.steps.length,
      committed: sum(agents, (agent) => agent.committed),
      elapsedMs: performance.now() - began,
      exact: sum(agents, (agent) => agent.exact),
      transformed: sum(agents, (agent) => agent.transformed),
      records: [...agents].flatMap((agent) => agent.client.recorder.records()),
    };
  } finally {
    for (const { client } of agents) client.stop();
  }
}

/** Returns the text of each author. */
async function play(
  options: ReplayOptions,
  plan: TracePlan,
  agents: Set<AgentRun>,
  fail: (error: Error) => void,
): Promise<ReadonlyMap<string, string>> {
  const authorOf = authors(options, plan);
  const shared: SharedRun = { ...options, plan, steps: new Map(), fail };
  for (const [agent, steps] of plan.byAgent.entries()) {
    if (steps.length === 0 && agents.size > 0) continue;
    const client = new BareClient({
      url: options.url,
      client: `agent-${agent}-${Math.floor(options.random() * 36 ** 6).toString(36)}`,
      encoding: options.encoding ?? (options.kind === 'yjs' ? 'msgpack' : 'json'),
      random: options.random,
      // The checker compares the replica with the log.
      replicas: agents.size === 0,
    });
    agents.add(new AgentRun(shared, agent, client, authorOf()));
  }
  for (const agent of agents) await agent.open();
  await Promise.all([...agents].map((agent) => agent.play()));
  for (const agent of agents) await agent.document.until(plan.steps.length);
  return new Map([...agents].map(({ client, author }) => [client.options.client, author.text()]));
}

function authors({ kind, trace }: ReplayOptions, plan: TracePlan): () => Author {
  if (kind === 'yjs') return () => new YjsAuthor();
  if (plan.mode === 'ordered') return () => new RichTextAuthor();
  const onHead = mergeTrace(trace, plan);
  return () => new MergedRichTextAuthor(onHead);
}

function sum(agents: ReadonlySet<AgentRun>, of: (agent: AgentRun) => number): number {
  let total = 0;
  for (const agent of agents) total += of(agent);
  return total;
}
