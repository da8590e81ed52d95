// The order in which a trace's transactions must commit so that every author makes every edit on the state
// that it had when the trace was recorded. Pure; knows no sockets and no kinds.
//
// The state of a client of an ordered log is a prefix of the log and its own edits. So an author that had
// seen x, but not y, both by others, needs x to commit before y. These pairs, and the causes of each
// transaction, make a graph. If the graph has no cycle, any order along it makes every edit possible on
// exactly the state that its author saw. The chosen order changes authors as seldom as it can, since each
// change costs a round trip. If the graph has a cycle (more than two authors and no common order), the plan
// says so, and edits are merged before they are sent.
import type { Trace } from './trace.ts';

export interface PlanStep {
  readonly txn: number;
  readonly agent: number;
  /** The version this step commits as, from 1. */
  readonly version: number;
  /**
   * The author has seen exactly the versions up to this one and all its own (`ordered`), or only those that
   * `seen` names (`merged`).
   */
  readonly prefix: number;
  /** For each agent, the number of its transactions that the author had seen. */
  readonly seen: readonly number[];
  /** The number of earlier transactions of the same author. */
  readonly nth: number;
}

export interface TracePlan {
  readonly mode: 'ordered' | 'merged';
  readonly steps: readonly PlanStep[];
  /** Steps of each agent, in its order. */
  readonly byAgent: readonly (readonly PlanStep[])[];
  /** Number of times that one author's step follows another's. */
  readonly switches: number;
}

/**
 * A graph of all pairs costs agents squared per transaction; above this many agents only the file's order is
 * tried.
 */
const GRAPH_AGENTS = 16;

/** Throws if an agent's transactions do not follow each other. */
export function planTrace(trace: Trace): TracePlan {
  const seen = clocksOf(trace);
  const own: number[][] = Array.from({ length: trace.agents }, () => []);
  for (const [index, txn] of trace.txns.entries()) own[txn.agent]?.push(index);
  const order =
    trace.agents <= GRAPH_AGENTS ? greedyOrder(trace, seen, own) : trace.txns.map((_, index) => index);
  const steps = stepsOf(trace, seen, own, order ?? trace.txns.map((_, index) => index));
  const exact = order !== undefined && isExact(steps, trace.agents);
  const byAgent: PlanStep[][] = Array.from({ length: trace.agents }, () => []);
  let switches = 0;
  let last = -1;
  for (const step of steps) {
    byAgent[step.agent]?.push(step);
    if (last >= 0 && last !== step.agent) switches += 1;
    last = step.agent;
  }
  return { mode: exact ? 'ordered' : 'merged', steps, byAgent, switches };
}

/**
 * For each transaction and agent, the number of the agent's transactions that the author had seen before it.
 */
function clocksOf(trace: Trace): number[][] {
  const after: number[][] = [];
  const made = new Array<number>(trace.agents).fill(0);
  return trace.txns.map((txn, index) => {
    const clock = new Array<number>(trace.agents).fill(0);
    for (const parent of txn.parents) {
      for (const [agent, count] of (after[parent] ?? []).entries()) {
        clock[agent] = Math.max(clock[agent] ?? 0, count);
      }
    }
    if (clock[txn.agent] !== made[txn.agent]) {
      throw new Error(`txns[${index}]: agent ${txn.agent} has not seen its own transactions before it`);
    }
    const next = [...clock];
    next[txn.agent] = (made[txn.agent] ?? 0) + 1;
    made[txn.agent] = (made[txn.agent] ?? 0) + 1;
    after.push(next);
    return clock;
  });
}

/**
 * An order along all constraints that stays with an author as long as it can; undefined if there is a cycle.
 */
function greedyOrder(
  trace: Trace,
  seen: readonly (readonly number[])[],
  own: readonly (readonly number[])[],
): number[] | undefined {
  const after: number[][] = trace.txns.map(() => []);
  const waits = new Array<number>(trace.txns.length).fill(0);
  const before = (first: number | undefined, second: number | undefined) => {
    if (first === undefined || second === undefined || first === second) return;
    after[first]?.push(second);
    waits[second] = (waits[second] ?? 0) + 1;
  };
  for (const [index, txn] of trace.txns.entries()) {
    const clock = seen[index] ?? [];
    for (const [agent, count] of clock.entries()) {
      const lastSeen = own[agent]?.[count - 1];
      before(lastSeen, index);
      if (agent === txn.agent) continue;
      for (let other = 0; other < trace.agents; other++) {
        if (other !== agent && other !== txn.agent) before(lastSeen, own[other]?.[clock[other] ?? 0]);
      }
    }
  }
  const next = new Array<number>(trace.agents).fill(0);
  const order: number[] = [];
  let agent = 0;
  while (order.length < trace.txns.length) {
    const ready = (of: number) => {
      const index = own[of]?.[next[of] ?? 0];
      return index !== undefined && waits[index] === 0 ? index : undefined;
    };
    let index = ready(agent);
    if (index === undefined) {
      for (let other = 0; other < trace.agents; other++) {
        const candidate = ready(other);
        if (candidate !== undefined && (index === undefined || candidate < index)) {
          index = candidate;
          agent = other;
        }
      }
    }
    if (index === undefined) return undefined;
    order.push(index);
    next[agent] = (next[agent] ?? 0) + 1;
    for (const later of after[index] ?? []) waits[later] = (waits[later] ?? 0) - 1;
  }
  return order;
}

function stepsOf(
  trace: Trace,
  seen: readonly (readonly number[])[],
  own: readonly (readonly number[])[],
  order: readonly number[],
): PlanStep[] {
  const versionOf = new Array<number>(trace.txns.length).fill(0);
  for (const [place, txn] of order.entries()) versionOf[txn] = place + 1;
  const made = new Array<number>(trace.agents).fill(0);
  return order.map((txn, place) => {
    const agent = trace.txns[txn]?.agent ?? 0;
    const clock = seen[txn] ?? [];
    let prefix = place;
    for (let other = 0; other < trace.agents; other++) {
      const unseen = other === agent ? undefined : own[other]?.[clock[other] ?? 0];
      if (unseen !== undefined) prefix = Math.min(prefix, (versionOf[unseen] ?? 0) - 1);
    }
    const nth = made[agent] ?? 0;
    made[agent] = nth + 1;
    return { txn, agent, version: place + 1, prefix, seen: clock, nth };
  });
}

/** Whether no transaction of others that an author had seen commits after its step's prefix. */
function isExact(steps: readonly PlanStep[], agents: number): boolean {
  const within = Array.from({ length: agents }, () => new Int32Array(steps.length + 1));
  for (const [place, { agent }] of steps.entries()) {
    for (const list of within) list[place + 1] = list[place] ?? 0;
    const list = within[agent];
    if (list !== undefined) list[place + 1] = (list[place] ?? 0) + 1;
  }
  return steps.every((step) => {
    const seenOfOthers = step.seen.reduce(
      (sum, count, agent) => (agent === step.agent ? sum : sum + count),
      0,
    );
    return seenOfOthers === step.prefix - (within[step.agent]?.[step.prefix] ?? 0);
  });
}
