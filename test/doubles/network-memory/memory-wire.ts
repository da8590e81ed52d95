// One connection of the in-memory network: two wires, and an ordered queue each way. It never looks into
// frames.
import type { Timers } from '../../../actors/clock.ts';
import type { PeerIdentity } from '../../../cluster/peer/network.ts';
import type { Frame, Wire, WireHandlers } from '../../../cluster/peer/wire.ts';

/** The process at one end. Its handlers run in that process. */
export interface End {
  readonly identity: PeerIdentity;
  readonly clock: Timers;
  run(work: () => void): void;
}

export interface Surroundings {
  readonly clock: Timers;
  readonly random: () => number;
  isCut(from: End, to: End): boolean;
  delayMs(from: End, to: End): number;
}

export class MemoryConnection {
  readonly near: MemoryWire;
  readonly far: MemoryWire;
  readonly #a: End;
  readonly #b: End;

  constructor(around: Surroundings, a: End, b: End, onOver: () => void) {
    this.#a = a;
    this.#b = b;
    const check = (): void => {
      if (this.near.isDone && this.far.isDone) onOver();
    };
    this.near = new MemoryWire(around, a, b, check);
    this.far = new MemoryWire(around, b, a, check);
    this.near.join(this.far);
    this.far.join(this.near);
  }

  touches(host: End): boolean {
    return this.#a === host || this.#b === host;
  }

  isBetween(a: string, b: string): boolean {
    const [near, far] = [this.#a.identity.node, this.#b.identity.node];
    return (near === a && far === b) || (near === b && far === a);
  }

  /** Called when a cut is healed. */
  pump(): void {
    this.near.pump();
    this.far.pump();
  }

  breakOff(): void {
    this.near.breakOff();
    this.far.breakOff();
  }
}

type Item = { readonly due: number; readonly frame: Frame | undefined };

/** The wire of `from`; its queue leads to `to`. */
export class MemoryWire implements Wire {
  readonly #around: Surroundings;
  readonly #from: End;
  readonly #to: End;
  readonly #onDone: () => void;
  #other: MemoryWire | undefined;
  #queue: Item[] = [];
  #queuedBytes = 0;
  #lastDue = 0;
  #scheduled = false;
  /** The end of the wire is in the queue, or has been delivered. */
  #ending = false;
  #handlers: WireHandlers | undefined;
  #held: (Frame | undefined)[] = [];
  #over = false;

  constructor(around: Surroundings, from: End, to: End, onDone: () => void) {
    this.#around = around;
    this.#from = from;
    this.#to = to;
    this.#onDone = onDone;
  }

  join(other: MemoryWire): void {
    this.#other = other;
  }

  get bufferedBytes(): number {
    return this.#queuedBytes;
  }

  get isDone(): boolean {
    return this.#ending && this.#queue.length === 0;
  }

  /** Held frames arrive in a later turn. */
  start(handlers: WireHandlers): void {
    this.#handlers = handlers;
    if (this.#held.length > 0) this.#from.clock.after(0, () => this.#release());
  }

  hold(): void {
    this.#handlers = undefined;
  }

  send(type: number, stream: number, payload: Uint8Array<ArrayBuffer>): void {
    if (this.#over || this.#ending) return;
    this.#queuedBytes += payload.length;
    // A copy, as a network would make: sender and receiver must not share a buffer.
    this.#enqueue({ type, stream, payload: payload.slice() });
  }

  finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#end();
  }

  destroy(): void {
    if (this.#over) return;
    this.#over = true;
    this.breakOff();
  }

  /** Part of the frames on their way still arrive, then the end. */
  breakOff(): void {
    if (this.#ending) return;
    const kept = Math.floor(this.#around.random() * (this.#queue.length + 1));
    for (const { frame } of this.#queue.splice(kept)) this.#queuedBytes -= frame?.payload.length ?? 0;
    this.#end();
  }

  pump(): void {
    const [head] = this.#queue;
    if (this.#scheduled || head === undefined || this.#around.isCut(this.#from, this.#to)) return;
    this.#scheduled = true;
    const { clock } = this.#around;
    clock.after(Math.max(0, head.due - clock.now()), () => {
      this.#scheduled = false;
      if (this.#around.isCut(this.#from, this.#to)) return;
      const now = clock.now();
      // The first frame is always due here, even if rounding puts its time a little later.
      let count = 1;
      while ((this.#queue[count]?.due ?? Number.POSITIVE_INFINITY) <= now) count++;
      for (const { frame } of this.#queue.splice(0, count))
        this.#to.run(() => {
          this.#queuedBytes -= frame?.payload.length ?? 0;
          if (this.#other) this.#other.#arrived(frame);
        });
      this.pump();
      if (this.isDone) this.#onDone();
    });
  }

  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#enqueue(undefined);
  }

  #enqueue(frame: Frame | undefined): void {
    const due = Math.max(
      this.#lastDue,
      this.#around.clock.now() + this.#around.delayMs(this.#from, this.#to),
    );
    this.#lastDue = due;
    this.#queue.push({ due, frame });
    this.pump();
  }

  /** Called by the other wire. Undefined means its end. */
  #arrived(item: Frame | undefined): void {
    if (this.#over) return;
    this.#held.push(item);
    this.#release();
  }

  #release(): void {
    while (!this.#over && this.#handlers !== undefined && this.#held.length > 0) {
      const item = this.#held.shift();
      if (item !== undefined) {
        this.#handlers.frame(item);
        continue;
      }
      this.#over = true;
      this.#end();
      this.#handlers.end('lost', 'connection ended');
    }
  }
}
