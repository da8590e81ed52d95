// Figures of the nodes that a run started: processors and memory from /proc, at once and also from a node that does not
// answer, and the delay of event loops from their `/metrics`.
import { MetricsReader } from './metrics-reader.ts';
import { ProcReader, type ServerReader, type ServerReading, type Watched } from './server-readings.ts';

interface OwnNode extends Watched {
  /** Socket URL. */
  readonly url: string;
}

/** A delay that is older does not belong to the present second, ms. */
const FRESH_MS = 2_000;

export class OwnNodesReader implements ServerReader {
  readonly #processes: ProcReader;
  readonly #delays: ReadonlyMap<string, LatestDelay>;

  constructor(nodes: readonly OwnNode[], now: () => number) {
    this.#processes = new ProcReader(nodes, now);
    this.#delays = new Map(nodes.map(({ name, url }) => [name, new LatestDelay(url, now)]));
  }

  async read(): Promise<ServerReading[]> {
    for (const delay of this.#delays.values()) delay.renew();
    const readings = await this.#processes.read();
    return readings.map((reading) => ({ ...reading, loopDelayMs: this.#delays.get(reading.node)?.ms }));
  }
}

/** The newest answer of one node. A slow answer holds nothing up. */
class LatestDelay {
  readonly #reader: MetricsReader;
  readonly #now: () => number;
  #isAsking = false;
  #answer: { readonly ms: number | undefined; readonly at: number } | undefined;

  constructor(url: string, now: () => number) {
    this.#reader = new MetricsReader([url], now);
    this.#now = now;
  }

  get ms(): number | undefined {
    const answer = this.#answer;
    return answer !== undefined && this.#now() - answer.at < FRESH_MS ? answer.ms : undefined;
  }

  renew(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    void this.#reader.read().then(([reading]) => {
      this.#isAsking = false;
      this.#answer = { ms: reading?.loopDelayMs, at: this.#now() };
    });
  }
}
