// The HTTP requests of one process of the load: its share of those that a scenario asks for, at a constant rate, made by
// autocannon. Autocannon makes the requests and keeps the rate; this file counts what came of them.
import type { Client, Instance } from 'autocannon';
import { RunFailure } from '../../command-line/cli-options.ts';
import type { Scenario } from '../../scenarios/scenario.ts';
import type { Figures } from '../figures.ts';

export interface HttpReadsOptions {
  /** Socket URLs of the nodes; the requests are spread over them. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** Documents of the run, for paths with `{doc}`. */
  readonly docs: readonly string[];
  readonly http: Scenario['http'];
  /** Number of this process, and of all processes. */
  readonly index: number;
  readonly processes: number;
  readonly figures: Figures;
}

const DEFAULT_PATHS = ['/', '/healthz'];
const DOC = '{doc}';
/** Most documents that the paths of one process name. */
const MOST_DOCUMENTS = 100;
const TIMEOUT_S = 10;
/** Autocannon ends after a time or at a wish; the run ends it. */
const LONG_S = 10 ** 6;

export class HttpReads {
  /** By `HTTP STATUS`, or by the reason for which no answer came. */
  readonly errors = new Map<string, number>();
  readonly #options: HttpReadsOptions;
  readonly #rate: number;
  readonly #connections: number;
  readonly #instances: Instance[] = [];
  #began = 0;
  #due = 0;

  constructor(options: HttpReadsOptions) {
    this.#options = options;
    const { http, index, processes } = options;
    this.#rate = partOf(http.requestsPerSecond, index, processes);
    this.#connections = Math.max(1, partOf(http.connections, index, processes));
  }

  /** Begins at once. Rejects with RunFailure if autocannon is not installed. */
  async begin(): Promise<void> {
    if (this.#rate === 0) return;
    const { default: autocannon } = await import('autocannon').catch(() => {
      throw new RunFailure('HTTP requests need autocannon, which is not installed: npm install autocannon');
    });
    const { urls, token } = this.#options;
    const requests = this.#requests();
    this.#began = performance.now();
    for (const [place, url] of urls.entries()) {
      const overallRate = partOf(this.#rate, place, urls.length);
      if (overallRate === 0) continue;
      // A connection without a request a second has no rate.
      const connections = Math.min(overallRate, Math.max(1, partOf(this.#connections, place, urls.length)));
      const everyMs = (connections / overallRate) * 1000;
      let made = 0;
      const options = {
        ...{ url: originOf(url), connections, overallRate, requests, duration: LONG_S, timeout: TIMEOUT_S },
        ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
        // Each connection begins at another place of the list.
        setupClient: (client: Client) => {
          const from = (made * 7) % requests.length;
          made += 1;
          client.setRequests([...requests.slice(from), ...requests.slice(0, from)]);
        },
      };
      // Without a callback it gives a promise, and no instance to stop.
      const instance = autocannon(options, () => undefined);
      instance.on('response', (_client, status, _bytes, ms) => this.#answered(status, ms, everyMs));
      instance.on('reqError', (error: NodeJS.ErrnoException) => this.#count(error.code ?? error.message));
      this.#instances.push(instance);
    }
  }

  /** Adds the requests that have come due since the last call to the counts. */
  countDue(): void {
    if (this.#began === 0) return;
    const due = Math.floor(((performance.now() - this.#began) / 1000) * this.#rate);
    this.#options.figures.counts.requests += due - this.#due;
    this.#due = due;
  }

  stop(): void {
    this.countDue();
    this.#began = 0;
    for (const instance of this.#instances.splice(0)) instance.stop?.();
  }

  #requests(): { method: 'GET'; path: string }[] {
    const { http, docs, index } = this.#options;
    const paths = http.paths.length === 0 ? DEFAULT_PATHS : http.paths;
    const many = Math.min(docs.length, MOST_DOCUMENTS);
    const some = Array.from(
      { length: many },
      (_, at) => docs[(index + Math.floor((at * docs.length) / many)) % docs.length] ?? '',
    );
    return paths.flatMap((path) =>
      (path.includes(DOC) ? some : ['']).map((doc) => ({
        method: 'GET' as const,
        path: path.replaceAll(DOC, doc),
      })),
    );
  }

  /**
   * A request waits for the one before it on its connection. So a long one stands also for those that would have been
   * made meanwhile: each of them with the time for which it would have waited.
   */
  #answered(status: number, ms: number, everyMs: number): void {
    const { figures } = this.#options;
    figures.counts.responses += 1;
    figures.time('http', ms);
    for (let waited = ms - everyMs; waited > everyMs; waited -= everyMs) figures.time('http', waited);
    if (status >= 400) this.#count(`HTTP ${status}`);
  }

  #count(reason: string): void {
    this.errors.set(reason, (this.errors.get(reason) ?? 0) + 1);
  }
}

/** Whole parts that add up. */
const partOf = (count: number, index: number, parts: number): number =>
  Math.floor((count * (index + 1)) / parts) - Math.floor((count * index) / parts);

function originOf(socketUrl: string): string {
  const url = new URL(socketUrl);
  return `${url.protocol === 'wss:' ? 'https' : 'http'}://${url.host}`;
}
