// One stream of a peer: open until either side closes it or the peer goes down, never again after that.
// It does not know what its batches mean, and writes through its peer only.
import type { PeerStream } from './network.ts';

/** What a stream asks of its peer. */
export interface StreamCarrier {
  post(id: number, batch: Uint8Array<ArrayBuffer>): void;
  closed(id: number): void;
}

export class MultiplexedStream implements PeerStream {
  readonly id: number;
  private readonly carrier: StreamCarrier;
  private batchListener: ((batch: Uint8Array<ArrayBuffer>) => void) | undefined;
  private closeListener: (() => void) | undefined;
  private open = true;

  constructor(id: number, carrier: StreamCarrier) {
    this.id = id;
    this.carrier = carrier;
  }

  get isOpen(): boolean {
    return this.open;
  }

  post(batch: Uint8Array<ArrayBuffer>): void {
    if (this.open) this.carrier.post(this.id, batch);
  }

  onBatch(listener: (batch: Uint8Array<ArrayBuffer>) => void): void {
    this.batchListener = listener;
  }

  onClose(listener: () => void): void {
    if (this.open) this.closeListener = listener;
    else queueMicrotask(listener);
  }

  close(): void {
    if (!this.open) return;
    this.carrier.closed(this.id);
    this.ended();
  }

  /** A batch came. */
  arrived(batch: Uint8Array<ArrayBuffer>): void {
    if (this.batchListener === undefined) this.close();
    else this.batchListener(batch);
  }

  /** The other side closed, or the peer is down. */
  ended(): void {
    if (!this.open) return;
    this.open = false;
    const listener = this.closeListener;
    this.closeListener = undefined;
    listener?.();
  }
}
