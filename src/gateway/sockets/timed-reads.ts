// Measures the reads of sockets whose bytes all go to ws: two listeners, one before that of ws and one after
// it, report the bytes of each read and the time that ws and the gateway took for them. It uses only public
// parts of Node, and changes nothing of what ws gets.
import type { Duplex } from 'node:stream';
import type { Spent } from './read-budget.ts';

export class TimedReads<Socket> {
  readonly #spent: Spent<Socket>;
  /** When the read under way began. One read ends before the next one of any socket begins. */
  #began = 0;
  readonly #begin = (): void => {
    this.#began = performance.now();
  };

  constructor(spent: Spent<Socket>) {
    this.#spent = spent;
  }

  /** Call it when ws listens to the stream already, and before anything has been read from the stream. */
  watch(stream: Duplex, socket: Socket): void {
    stream.prependListener('data', this.#begin);
    stream.on('data', (chunk: Buffer) => this.#spent(socket, chunk.length, performance.now() - this.#began));
  }
}
