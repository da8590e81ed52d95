// HTTP requests at a constant rate, spread over the nodes, made by autocannon. Autocannon makes the requests and keeps
// the rate; this file counts what was due and which requests failed. It knows no documents.
import type { Client, Instance, Request } from 'autocannon';
import { RunFailure } from '../../command-line/cli-options.ts';
import type { Figures, TimeName } from '../figures.ts';

export interface HttpRequestsOptions {
  /** Socket URLs of the nodes; the requests are spread over them. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** Requests a second; 0: none. */
  readonly rate: number;
  /** Connections that share them, at most one for each request a second. */
  readonly connections: number;
  /** The requests that a connection makes in turn. `everyMs`: from one of them to the next, as they are due. */
  requestsOf(connection: number, everyMs: number): Request[];
  /** Called with each answer, and the time that it took. */
  answered?(status: number, ms: number, everyMs: number): void;
}

const TIMEOUT_S = 10;
/** Autocannon ends after a time or at a wish; the run ends it. */
const LONG_S = 10 ** 6;

export class HttpRequests {
  /** By `HTTP STATUS`, or by the reason for which no answer came. */
  readonly errors = new Map<string, number>();
  readonly #options: HttpRequestsOptions;
  readonly #instances: Instance[] = [];
  #began = 0;
  #due = 0;

  constructor(options: HttpRequestsOptions) {
    this.#options = options;
  }

  /** Begins at once. Rejects with RunFailure if autocannon is not installed. */
  async begin(): Promise<void> {
    const { urls, token, rate, connections, requestsOf } = this.#options;
    if (rate === 0) return;
    const { default: autocannon } = await import('autocannon').catch(() => {
      throw new RunFailure('HTTP requests need autocannon, which is not installed: npm install autocannon');
    });
    this.#began = performance.now();
    let made = 0;
    for (const [place, url] of urls.entries()) {
      const overallRate = partOf(rate, place, urls.length);
      if (overallRate === 0) continue;
      // A connection without a request a second has no rate.
      const many = Math.min(overallRate, Math.max(1, partOf(connections, place, urls.length)));
      const everyMs = (many / overallRate) * 1000;
      const options = {
        ...{ url: originOf(url), connections: many, overallRate, duration: LONG_S, timeout: TIMEOUT_S },
        ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
        setupClient: (client: Client) => {
          client.setRequests(requestsOf(made, everyMs));
          made += 1;
        },
      };
      // Without a callback it gives a promise, and no instance to stop.
      const instance = autocannon(options, () => undefined);
      instance.on('response', (_client, status, _bytes, ms) => this.#answered(status, ms, everyMs));
      instance.on('reqError', (error: NodeJS.ErrnoException) => this.#count(error.code ?? error.message));
      this.#instances.push(instance);
    }
  }

  /** Requests that have come due since the last call. */
  takeDue(): number {
    if (this.#began === 0) return 0;
    const due = Math.floor(((performance.now() - this.#began) / 1000) * this.#options.rate);
    const more = due - this.#due;
    this.#due = due;
    return more;
  }

  /** Autocannon goes on for up to a second. */
  stop(): void {
    this.#began = 0;
    for (const instance of this.#instances.splice(0)) instance.stop?.();
  }

  #answered(status: number, ms: number, everyMs: number): void {
    this.#options.answered?.(status, ms, everyMs);
    if (status >= 400) this.#count(`HTTP ${status}`);
  }

  #count(reason: string): void {
    this.errors.set(reason, (this.errors.get(reason) ?? 0) + 1);
  }
}

/**
 * Records the time of an answer. A request waits for the one before it on its connection, so a long one stands also for
 * those that would have been made meanwhile: each of them with the time for which it would have waited.
 */
export function timeAnswer(figures: Figures, name: TimeName, ms: number, everyMs: number): void {
  figures.time(name, ms);
  for (let waited = ms - everyMs; waited > everyMs; waited -= everyMs) figures.time(name, waited);
}

/** Whole parts that add up. */
export const partOf = (count: number, index: number, parts: number): number =>
  Math.floor((count * (index + 1)) / parts) - Math.floor((count * index) / parts);

export function originOf(socketUrl: string): string {
  const url = new URL(socketUrl);
  return `${url.protocol === 'wss:' ? 'https' : 'http'}://${url.host}`;
}
