// `troupe cluster drain NODE`: asks a node to leave, and waits until other nodes have its shards and its
// clients are gone. The drained node keeps running, is no longer ready, and ends when it is stopped.
import { pause, systemClock } from '../../../actors/clock.ts';
import type { ControlStore } from '../../../actors/storage/store.ts';
import { encodeOperatorEvent, type LeaveProgress, operatorEvent } from '../../../cluster/operator-events.ts';
import { EXIT, type ExitCode, StartError } from '../../../config/fatal.ts';
import { showDuration } from '../../../config/keys/units.ts';
import type { Config } from '../../../config/schema.ts';
import { leavingMs } from '../../membership/leaving.ts';
import { withCluster } from '../database.ts';
import { type Output, plural } from '../output.ts';
import { type NodeOnRecord, nodesCalled, readNodes, readShards, shardsOf } from './nodes.ts';

export interface DrainOptions {
  readonly node: string;
  readonly timeoutMs: number | undefined;
}

/** The question is repeated, because it or its answer may be lost. */
const ASK_EVERY_MS = 500;
/** Waiting time in addition to the node's own time for leaving. */
const MARGIN_MS = 10_000;

export function drain(config: Config, { node, timeoutMs }: DrainOptions, io: Output): Promise<ExitCode> {
  return withCluster(config, async (store) => {
    demandSuccessors(node, await readNodes(store));
    const answers = new Map<string, LeaveProgress>();
    const events = await store.listen({
      onEvent: (text) => {
        const event = operatorEvent(text);
        if (event?.type === 'leaving') answers.set(event.run, event);
      },
      onGap: () => undefined,
    });
    try {
      await untilLeft(store, node, answers, timeoutMs ?? leavingMs(config) + MARGIN_MS, io);
    } finally {
      await events.close();
    }
    return EXIT.ok;
  });
}

function demandSuccessors(name: string, nodes: readonly NodeOnRecord[]): void {
  nodesCalled(name, nodes);
  const others = nodes.filter(
    ({ node, state, address }) => node !== name && state === 'live' && address !== null,
  );
  if (others.length > 0) return;
  throw new StartError(`${name} is the only node that takes shards: nobody would take its own`);
}

async function untilLeft(
  store: ControlStore,
  name: string,
  answers: ReadonlyMap<string, LeaveProgress>,
  timeoutMs: number,
  io: Output,
): Promise<void> {
  const until = systemClock.now() + timeoutMs;
  let said = '';
  for (;;) {
    const runs = (await readNodes(store)).filter(({ node }) => node === name);
    const map = await readShards(store);
    const shards = runs.reduce((sum, run) => sum + shardsOf(run, map), 0);
    const told = runs.map(({ run }) => answers.get(run));
    const clients = told.reduce((sum, answer) => sum + (answer?.clients ?? 0), 0);
    const hasAnswered = told.every((answer) => answer !== undefined);
    if (hasAnswered && told.every((answer) => answer?.isDone)) {
      if (shards > 0)
        throw new StartError(
          `${name} stopped handing over with ${plural(shards, 'shard')} left: no other node took them in time`,
        );
      io.stdout.write(
        runs.length === 0
          ? `${name} has ended.\n`
          : `${name} is drained: no shards, no clients. It runs until it is stopped.\n`,
      );
      return;
    }
    const rest = hasAnswered ? `${plural(clients, 'client')} left` : 'no answer yet';
    const line = `${name}: ${plural(shards, 'shard')}, ${rest}\n`;
    if (line !== said) io.stdout.write(line);
    said = line;
    if (systemClock.now() >= until) {
      const what = hasAnswered
        ? `still has ${plural(shards, 'shard')} and ${plural(clients, 'client')}`
        : 'does not answer';
      throw new StartError(`${name} ${what} after ${showDuration(timeoutMs)}; what has begun goes on`);
    }
    for (const { run } of runs) await store.notify(encodeOperatorEvent({ type: 'drain', run }));
    await pause(systemClock, ASK_EVERY_MS);
  }
}
