// Replays a recorded trace as real clients over sockets: one client per agent, every transaction one submit,
// each made on exactly the state that its author had seen. Owns the waiting between clients; replay-agent.ts
// plays one client's part, author.ts makes the edits, trace-plan.ts finds the order.
import * as Y from 'yjs';
import type { Wire } from '../../protocol/messages.ts';
import type { DocumentRecord } from '../checker/records.ts';
import { type Author, MergedRichTextAuthor, RichTextAuthor, YjsAuthor } from '../clients/author.ts';
import { BareClient } from '../clients/bare-client.ts';
import { deferred } from '../clients/deferred.ts';
import { AgentRun, type SharedRun } from './replay-agent.ts';
import { type Trace, withoutFinalNewline } from './trace.ts';
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
  /** Called after each commit with the number of committed transactions. */
  readonly onProgress?: (committed: number) => void;
}

export interface ReplayResult {
  /** The document's text, without its final newline. */
  readonly text: string;
  /** Whether the text equals the trace's `endContent`. */
  readonly equal: boolean;
  readonly mode: TracePlan['mode'];
  readonly clients: number;
  readonly transactions: number;
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

/**
 * Rejects if the server refuses, reorders or loses a step, or if a client ends with another text than the
 * others.
 */
export async function replayTrace(options: ReplayOptions): Promise<ReplayResult> {
  const plan = planTrace(options.trace);
  const began = performance.now();
  const agents = new Set<AgentRun>();
  const failure = deferred<never>();
  try {
    const text = await Promise.race([play(options, plan, agents, failure.reject), failure.promise]);
    return {
      text,
      equal: text === options.trace.endContent,
      mode: plan.mode,
      clients: agents.size,
      transactions: plan.steps.length,
      elapsedMs: performance.now() - began,
      exact: sum(agents, (agent) => agent.exact),
      transformed: sum(agents, (agent) => agent.transformed),
      records: [...agents].flatMap((agent) => agent.client.recorder.records()),
    };
  } finally {
    for (const { client } of agents) client.stop();
  }
}

async function play(
  options: ReplayOptions,
  plan: TracePlan,
  agents: Set<AgentRun>,
  fail: (error: Error) => void,
): Promise<string> {
  const authorOf = authors(options, plan);
  const shared: SharedRun = { ...options, plan, steps: new Map(), fail };
  for (const [agent, steps] of plan.byAgent.entries()) {
    if (steps.length === 0 && agents.size > 0) continue;
    const client = new BareClient({
      url: options.url,
      client: `agent-${agent}-${Math.floor(options.random() * 36 ** 6).toString(36)}`,
      encoding: options.encoding ?? (options.kind === 'yjs' ? 'msgpack' : 'json'),
      random: options.random,
      replicas: agents.size === 0,
    });
    agents.add(new AgentRun(shared, agent, client, authorOf()));
  }
  for (const agent of agents) await agent.open();
  await Promise.all([...agents].map((agent) => agent.play()));
  let text: string | undefined;
  for (const agent of agents) {
    await agent.document.until(plan.steps.length);
    text ??= textOf(agent.document.replica?.content());
    if (agent.author.text() !== text)
      throw new Error(`${agent.client.options.client} holds another text than the document`);
  }
  return text ?? '';
}

function authors({ kind, trace }: ReplayOptions, plan: TracePlan): () => Author {
  if (kind === 'yjs') return () => new YjsAuthor();
  if (plan.mode === 'ordered') return () => new RichTextAuthor();
  const onHead = mergeTrace(trace, plan);
  return () => new MergedRichTextAuthor(onHead);
}

function textOf(content: Wire | undefined): string {
  if (content instanceof Uint8Array) {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, content);
    return doc.getText('text').toString();
  }
  if (!Array.isArray(content)) throw new Error('no replica to read the text from');
  return withoutFinalNewline(content.map((step) => (step as { insert: string }).insert).join(''));
}

function sum(agents: ReadonlySet<AgentRun>, of: (agent: AgentRun) => number): number {
  let total = 0;
  for (const agent of agents) total += of(agent);
  return total;
}
