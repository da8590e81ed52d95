// The departure of a node from its cluster: it hands over its documents, then sends its clients to the other
// nodes, spread over time. A node leaves once, whether it is told to stop or an operator has asked. This
// class stops no process.
import { isClustered } from '../../config/clustered.ts';
import type { Config } from '../../config/schema.ts';

/** Time over which the clients of a leaving node come back elsewhere. */
const CLIENTS_SPREAD_MS = 5000;
/** Time for the last client to go. Then its socket is closed. */
const CLIENTS_GRACE_MS = 500;

export interface LeavingOptions {
  /** Hands the documents over, within this many ms. */
  readonly handOver: (timeoutMs: number) => Promise<void>;
  readonly handOverMs: number;
  readonly clients: { readonly size: number; drain(spreadMs: number, graceMs: number): Promise<void> };
}

export class Leaving {
  readonly #options: LeavingOptions;
  #left: Promise<void> | undefined;
  #isDone = false;

  constructor(options: LeavingOptions) {
    this.#options = options;
  }

  get hasBegun(): boolean {
    return this.#left !== undefined;
  }

  /**
   * Begins to leave, unless that has begun. Resolves when as many shards as possible are handed over and the
   * clients are gone.
   */
  begin(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  progress(): { readonly clients: number; readonly isDone: boolean } {
    return { clients: this.#options.clients.size, isDone: this.#isDone };
  }

  async #leave(): Promise<void> {
    const { handOver, handOverMs, clients } = this.#options;
    try {
      await handOver(handOverMs);
    } finally {
      await clients.drain(CLIENTS_SPREAD_MS, CLIENTS_GRACE_MS);
      this.#isDone = true;
    }
  }
}

/** The longest time that leaving takes. */
export const leavingMs = ({ drain }: Pick<Config, 'drain'>): number =>
  drain.timeoutMs + CLIENTS_SPREAD_MS + CLIENTS_GRACE_MS;

/** The longest time from the request to stop until the node has stopped. */
export const stopTimeoutMs = (config: Config): number =>
  (isClustered(config) ? leavingMs(config) : 0) + config.shutdown.timeoutMs;
