// The process of the costly clients. It is one of its own, and of low priority, since those who attack a
// server bring processors of their own: what they spend must not be taken for what the server spends.
// It plays the shapes until it is told to stop, then says what its clients were told.
import { setPriority } from 'node:os';
import { below, seededRandom } from '../random-edits.ts';
import { CostlyClient } from './costly-client.ts';
import { SHAPES } from './costly-patches.ts';

export interface CostlyOrder {
  readonly url: string;
  readonly clients: number;
  readonly seed: number;
  /** Names of SHAPES; empty: all. */
  readonly shapes: readonly string[];
}

/** What came of it. `faults`: answers that must not have been. */
export interface CostlyReport {
  readonly answers: Readonly<Record<string, number>>;
  /** Shapes that were played to their end, by name. */
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
      // Each begins elsewhere in the list, so that all shapes are played at any time.
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

/** In the child: an order comes, later any message to stop, and the report goes back. */
if (process.send !== undefined) {
  setPriority(10);
  let stop: (() => CostlyReport) | undefined;
  process.on('message', (message) => {
    if (stop === undefined) stop = begin(message as CostlyOrder);
    else process.send?.(stop(), () => process.exit(0));
  });
  process.on('disconnect', () => process.exit(0));
}
