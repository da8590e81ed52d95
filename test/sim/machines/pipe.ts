// A pipe from one thread to another: messages arrive in the order sent, each after a delay of its own, until
// the pipe breaks; then some of the messages under way are lost. A port is two pipes with a transport at each
// end.
import type { Transport } from '../../../actors/link/link.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Thread } from './thread.ts';

/** One direction. Without a thread the pipe leads to a receiver that never stops. */
export class Pipe {
  readonly #scheduler: Scheduler;
  readonly #to: Thread | undefined;
  readonly #delayMs: () => number;
  #queue: { readonly due: number; readonly work: () => void }[] = [];
  #lastDue = 0;
  #over = false;
  #scheduled = false;

  constructor(scheduler: Scheduler, to: Thread | undefined, delayMs: () => number) {
    this.#scheduler = scheduler;
    this.#to = to;
    this.#delayMs = delayMs;
  }

  send(work: () => void): void {
    if (this.#over) return;
    const due = Math.max(this.#lastDue, this.#scheduler.now() + this.#delayMs());
    this.#lastDue = due;
    this.#queue.push({ due, work });
    this.#pump();
  }

  /** Sends the last event of the pipe. */
  end(work: () => void): void {
    this.send(work);
    this.#over = true;
  }

  /** Breaks the pipe: the first `share` of the messages under way arrives, then the end. */
  breakOff(share: number, work: () => void): void {
    if (this.#over) return;
    this.#queue.splice(Math.floor(this.#queue.length * share));
    this.end(work);
  }

  #pump(): void {
    const [head] = this.#queue;
    if (this.#scheduled || head === undefined) return;
    this.#scheduled = true;
    this.#scheduler.after(head.due - this.#scheduler.now(), () => {
      this.#scheduled = false;
      const item = this.#queue.shift();
      this.#pump();
      if (item === undefined) return;
      if (this.#to === undefined) item.work();
      else this.#to.run(item.work);
    });
  }
}

/** One end of a message channel between threads. Batches wait until there is a listener. */
export class Port implements Transport {
  readonly #scheduler: Scheduler;
  readonly #own: Thread;
  readonly #out: Pipe;
  #other: Port | undefined;
  #listener: ((batch: Uint8Array<ArrayBuffer>) => void) | undefined;
  #waiting: (() => void)[] = [];
  #closed = false;
  onClose: () => void = () => undefined;

  private constructor(scheduler: Scheduler, own: Thread, out: Pipe) {
    this.#scheduler = scheduler;
    this.#own = own;
    this.#out = out;
  }

  static pair(scheduler: Scheduler, near: Thread, far: Thread, delayMs: () => number): readonly [Port, Port] {
    const a = new Port(scheduler, near, new Pipe(scheduler, far, delayMs));
    const b = new Port(scheduler, far, new Pipe(scheduler, near, delayMs));
    a.#other = b;
    b.#other = a;
    return [a, b];
  }

  post(batch: Uint8Array<ArrayBuffer>): void {
    if (this.#closed || !this.#own.isAlive) return;
    this.#out.send(() => {
      if (this.#other) this.#other.#arrived(batch);
    });
  }

  /** Batches that came earlier are delivered in a later turn. */
  onBatch(listener: (batch: Uint8Array<ArrayBuffer>) => void): void {
    this.#listener = listener;
    if (this.#waiting.length > 0) this.#scheduler.soon(() => this.#own.run(() => this.#release()));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    this.#out.end(() => {
      if (this.#other) this.#other.#ended();
    });
    this.onClose();
  }

  #arrived(batch: Uint8Array<ArrayBuffer>): void {
    this.#take(() => this.#listener?.(batch));
  }

  /** The end follows all batches that have arrived. */
  #ended(): void {
    this.#take(() => {
      this.#closed = true;
      this.onClose();
    });
  }

  #take(work: () => void): void {
    if (this.#closed) return;
    if (this.#listener === undefined || this.#waiting.length > 0) this.#waiting.push(work);
    else work();
  }

  #release(): void {
    while (!this.#closed && this.#waiting.length > 0) this.#waiting.shift()?.();
  }
}
