// The process of the costly clients. It is a separate process of low priority, since attackers of a server
// bring processors of their own: their use of the processor must not count as the server's. It plays the
// shapes until it is told to stop, then reports the answers that its clients got.
import { setPriority } from 'node:os';
import { below, seededRandom } from '../clients/random-edits.ts';
import { CostlyClient } from './costly-client.ts';
import { SHAPES } from './costly-patches.ts';

export interface CostlyOrder {
  readonly url: string;
  readonly clients: number;
  readonly seed: number;
  /** Names of SHAPES; empty means all. */
  readonly shapes: readonly string[];
}

/** The result. `faults`: answers that must not occur. */
export interface CostlyReport {
  readonly answers: Readonly<Record<string, number>>;
  /** Number of times that each shape was played to its end, by name. */
  readonly played: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

function begin({ url, clients: count, seed, shapes }: CostlyOrder): () => CostlyReport {
  const names = shapes.length > 0 ? shapes : Object.keys(SHAPES);
  const played: Record<string, number> = {};
  const faults: string[] = [];
  let over = false;
  const clients = Array.from(
    { length: count },
    (_, index) => new CostlyClient(url, `costly-${seed}-${index}`, index % 2 === 0 ? 'json' : 'msgpack'),
  );
  const play = async (client: CostlyClient, index: number): Promise<void> => {
    const random = seededRandom(seed + index);
    for (let round = 0; !over; round++) {
      // Each client begins at another place of the list, so that all shapes are played at any time.
      const name = names[(index + round) % names.length] ?? '';
      const prefix = `costly/s${seed}-${index}-${round}-${below(random, 1_000)}-`;
      await SHAPES[name]?.({ client, prefix, random, isOver: () => over });
      if (!over) played[name] = (played[name] ?? 0) + 1;
    }
  };
  for (const [index, client] of clients.entries()) {
    play(client, index).catch((error: unknown) => faults.push(`${client.id}: ${String(error)}`));
  }
  return () => {
    over = true;
    const answers: Record<string, number> = {};
    for (const client of clients) {
      client.stop();
      faults.push(...client.faults);
      for (const [code, times] of Object.entries(client.answers))
        answers[code] = (answers[code] ?? 0) + times;
    }
    return { answers, played, faults };
  };
}

/** In the child process: an order arrives, later any message means stop, and the report is sent back. */
if (process.send !== undefined) {
  setPriority(10);
  let stop: (() => CostlyReport) | undefined;
  process.on('message', (message) => {
    if (stop === undefined) stop = begin(message as CostlyOrder);
    else process.send?.(stop(), () => process.exit(0));
  });
  process.on('disconnect', () => process.exit(0));
}
