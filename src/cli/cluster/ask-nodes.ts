// Asks all nodes of a cluster one question over the events of the database, and gathers their answers. A question
// and an answer may be lost, so the question is repeated until each node has answered.
import { pause, systemClock } from '../../../actors/clock.ts';
import type { ControlStore } from '../../../actors/storage/store.ts';
import { encodeOperatorEvent, type OperatorEvent, operatorEvent } from '../../../cluster/operator-events.ts';
import { type NodeOnRecord, readNodes } from './nodes.ts';

export interface Question<Answer> {
  readonly question: OperatorEvent;
  /** The answer that an event carries, and the run that gave it. Undefined for other events. */
  readonly answerIn: (event: OperatorEvent) => { readonly run: string; readonly answer: Answer } | undefined;
  /** How long to wait for the answers. */
  readonly patienceMs: number;
}

export interface Answers<Answer> {
  /** The nodes on record when the waiting ended. */
  readonly nodes: readonly NodeOnRecord[];
  /** The first answer of each run. */
  readonly byRun: ReadonlyMap<string, Answer>;
  /** The nodes that gave no answer. */
  readonly silent: readonly NodeOnRecord[];
}

const LOOK_EVERY_MS = 50;
/** The question is repeated after so many looks. */
const LOOKS_PER_QUESTION = 10;

export async function askNodes<Answer>(
  store: ControlStore,
  { question, answerIn, patienceMs }: Question<Answer>,
): Promise<Answers<Answer>> {
  const byRun = new Map<string, Answer>();
  const events = await store.listen({
    onEvent: (text) => {
      const event = operatorEvent(text);
      const found = event && answerIn(event);
      if (found !== undefined && !byRun.has(found.run)) byRun.set(found.run, found.answer);
    },
    onGap: () => undefined,
  });
  try {
    const until = systemClock.now() + patienceMs;
    for (let look = 0; ; look++) {
      const nodes = await readNodes(store);
      const silent = nodes.filter(({ run }) => !byRun.has(run));
      if (silent.length === 0 || systemClock.now() >= until) return { nodes, byRun, silent };
      if (look % LOOKS_PER_QUESTION === 0) await store.notify(encodeOperatorEvent(question));
      await pause(systemClock, LOOK_EVERY_MS);
    }
  } finally {
    await events.close();
  }
}
