// How a node of a cluster leaves: it hands its documents over, then sends its clients to the others, not all
// at once. It leaves once, whether it is told to end or an operator has asked; it ends nothing by itself.
import { isClustered } from '../config/clustered.ts';
import type { Config } from '../config/schema.ts';

/** Over which the clients of a node that leaves come back elsewhere. */
const CLIENTS_SPREAD_MS = 5000;
/** Of the last one; then it is closed. */
const CLIENTS_GRACE_MS = 500;

export interface LeavingOptions {
  /** Hands the documents over, within so many ms. */
  readonly handOver: (timeoutMs: number) => Promise<void>;
  readonly handOverMs: number;
  readonly clients: { readonly size: number; drain(spreadMs: number, graceMs: number): Promise<void> };
}

export class Leaving {
  private readonly options: LeavingOptions;
  private left: Promise<void> | undefined;
  private isDone = false;

  constructor(options: LeavingOptions) {
    this.options = options;
  }

  get hasBegun(): boolean {
    return this.left !== undefined;
  }

  /** Begins where it has not begun. Resolves when all has been handed over that could be, and the clients have gone. */
  begin(): Promise<void> {
    this.left ??= this.leave();
    return this.left;
  }

  progress(): { readonly clients: number; readonly isDone: boolean } {
    return { clients: this.options.clients.size, isDone: this.isDone };
  }

  private async leave(): Promise<void> {
    const { handOver, handOverMs, clients } = this.options;
    try {
      await handOver(handOverMs);
    } finally {
      await clients.drain(CLIENTS_SPREAD_MS, CLIENTS_GRACE_MS);
      this.isDone = true;
    }
  }
}

/** How long leaving takes at most. */
export const leavingMs = ({ drain }: Pick<Config, 'drain'>): number =>
  drain.timeoutMs + CLIENTS_SPREAD_MS + CLIENTS_GRACE_MS;

/** How long a node may take from the wish to end until it has ended. */
export const stopTimeoutMs = (config: Config): number =>
  (isClustered(config) ? leavingMs(config) : 0) + config.shutdown.timeoutMs;
