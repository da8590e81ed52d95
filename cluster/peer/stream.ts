// One stream of a peer. It is open until either side closes it or the peer goes down, and never again after
// that. It does not know the meaning of its batches, and writes only through its peer.
import type { PeerStream } from './network.ts';

/** The operations that a stream needs of its peer. */
export interface StreamCarrier {
  post(id: number, batch: Uint8Array<ArrayBuffer>): void;
  closed(id: number): void;
}

export class MultiplexedStream implements PeerStream {
  readonly id: number;
  readonly #carrier: StreamCarrier;
  #batchListener: ((batch: Uint8Array<ArrayBuffer>) => void) | undefined;
  #closeListener: (() => void) | undefined;
  #open = true;

  constructor(id: number, carrier: StreamCarrier) {
    this.id = id;
    this.#carrier = carrier;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  post(batch: Uint8Array<ArrayBuffer>): void {
    if (this.#open) this.#carrier.post(this.id, batch);
  }

  onBatch(listener: (batch: Uint8Array<ArrayBuffer>) => void): void {
    this.#batchListener = listener;
  }

  onClose(listener: () => void): void {
    if (this.#open) this.#closeListener = listener;
    else queueMicrotask(listener);
  }

  close(): void {
    if (!this.#open) return;
    this.#carrier.closed(this.id);
    this.ended();
  }

  /** Called when a batch has come. */
  arrived(batch: Uint8Array<ArrayBuffer>): void {
    if (this.#batchListener === undefined) this.close();
    else this.#batchListener(batch);
  }

  /** Called when the other side has closed, or the peer is down. */
  ended(): void {
    if (!this.#open) return;
    this.#open = false;
    const listener = this.#closeListener;
    this.#closeListener = undefined;
    listener?.();
  }
}
