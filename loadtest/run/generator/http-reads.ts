// The HTTP reads of one process of the load: its share of those that a scenario asks for, at a constant rate.
import type { Request } from 'autocannon';
import type { Scenario } from '../../scenarios/scenario.ts';
import type { Figures } from '../figures.ts';
import { HttpRequests, partOf, timeAnswer } from './http-requests.ts';

export interface HttpReadsOptions {
  /** Socket URLs of the nodes; the requests are spread over them. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** Documents of the run, for paths with `{doc}`. */
  readonly docs: readonly string[];
  readonly http: Pick<Scenario['http'], 'requestsPerSecond' | 'connections' | 'paths'>;
  /** Number of this process, and of all processes. */
  readonly index: number;
  readonly processes: number;
  readonly figures: Figures;
}

const DEFAULT_PATHS = ['/', '/healthz'];
const DOC = '{doc}';
/** Most documents that the paths of one process name. */
const MOST_DOCUMENTS = 100;

export class HttpReads {
  readonly #options: HttpReadsOptions;
  readonly #requests: HttpRequests;

  constructor(options: HttpReadsOptions) {
    this.#options = options;
    const { urls, token, http, index, processes, figures } = options;
    const list = this.#list();
    this.#requests = new HttpRequests({
      urls,
      token,
      rate: partOf(http.requestsPerSecond, index, processes),
      connections: partOf(http.connections, index, processes),
      // Each connection begins at another place of the list.
      requestsOf: (connection) => {
        const from = (connection * 7) % list.length;
        return [...list.slice(from), ...list.slice(0, from)];
      },
      answered: (_status, ms, everyMs) => {
        figures.counts.responses += 1;
        timeAnswer(figures, 'http', ms, everyMs);
      },
    });
  }

  /** By `HTTP STATUS`, or by the reason for which no answer came. */
  get errors(): ReadonlyMap<string, number> {
    return this.#requests.errors;
  }

  /** Begins at once. Rejects with RunFailure if autocannon is not installed. */
  begin(): Promise<void> {
    return this.#requests.begin();
  }

  /** Adds the requests that have come due since the last call to the counts. */
  countDue(): void {
    this.#options.figures.counts.requests += this.#requests.takeDue();
  }

  stop(): void {
    this.countDue();
    this.#requests.stop();
  }

  #list(): Request[] {
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
}
