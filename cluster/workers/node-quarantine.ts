// The documents that are out of service at this node, and the failures that lead to it. Failures count on all
// nodes together: after each death another worker has the shard. The workers refuse a quarantined document; this
// class tells them.
import { Quarantine, type Quarantined, type QuarantineLimits } from '../../actors/quarantine.ts';
import type { ToWorker } from '../../actors/worker.ts';

export interface NodeQuarantineOptions {
  readonly limits: QuarantineLimits;
  readonly now: () => number;
  /** Tells all workers, also those that are starting: their task may have been made before. */
  readonly tellWorkers: (message: ToWorker) => void;
  /** Called when a failure here has put a document out of service. */
  readonly onQuarantined: (quarantined: Quarantined) => void;
  readonly log: (level: 'info' | 'error', message: string, fields: object) => void;
}

export class NodeQuarantine {
  readonly #options: NodeQuarantineOptions;
  readonly #quarantine: Quarantine;

  constructor(options: NodeQuarantineOptions) {
    this.#options = options;
    this.#quarantine = new Quarantine(options.limits);
  }

  /** Counts a worker's death at this document, or a throw of its handling, on this node or another. */
  countFailure(doc: string): void {
    const { now, tellWorkers, onQuarantined, log } = this.#options;
    const { times, putOut } = this.#quarantine.failed(doc, now());
    if (putOut === undefined) return;
    tellWorkers({ type: 'quarantine', quarantined: putOut });
    onQuarantined(putOut);
    log('error', 'a document is quarantined: workers failed at it', {
      doc,
      failures: times,
      forMs: putOut.forMs,
    });
  }

  /** Takes over a quarantine from another node. */
  adopt(quarantined: Quarantined): void {
    const { now, tellWorkers } = this.#options;
    if (this.#quarantine.leftMs(quarantined.doc, now()) >= quarantined.forMs) return;
    this.#quarantine.adopt(quarantined, now());
    tellWorkers({ type: 'quarantine', quarantined });
  }

  /** Returns the document to service and forgets its failures. True if it was quarantined here. */
  release(doc: string): boolean {
    const { now, tellWorkers, log } = this.#options;
    const wasOut = this.#quarantine.release(doc, now());
    tellWorkers({ type: 'unquarantine', doc });
    if (wasOut) log('info', 'a quarantined document is released', { doc });
    return wasOut;
  }

  /** Quarantined documents, at most `most`. */
  list(most?: number): readonly Quarantined[] {
    return this.#quarantine.list(this.#options.now(), most);
  }
}
