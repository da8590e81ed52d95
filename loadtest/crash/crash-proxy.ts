// A proxy between clients and a node that loses answers. From some moment on it drops the node's data on a
// line, while the client's data still arrives; a little later it cuts the line. Owns the lines and their
// faults; knows no frames, and does not know which submits committed.
import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { Random } from '../clients/random-edits.ts';

/** Twice the mean time before a line is hushed. */
const TALK_MOST_MS = 2000;
/** A line is cut at a random time within this long of the first lost answer … */
const CUT_SOON_MS = 40;
/** … or after this long if no answer was lost, or if it is held. */
const CUT_LATE_MS = 5000;

export interface CuttingProxyOptions {
  readonly nodePort: number;
  readonly random: Random;
  /**
   * Whether each line is hushed by itself after a while. Otherwise only `hush` does it: for clients whose
   * backoff grows with each cut.
   */
  readonly restless: boolean;
}

export class CuttingProxy {
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  readonly #options: CuttingProxyOptions;

  private constructor(options: CuttingProxyOptions) {
    this.#options = options;
    this.#server = createServer((down) => this.#join(down, dial(options.nodePort, '127.0.0.1')));
  }

  /** Listens on a port of its own; forwards to `nodePort` of this machine, also after that port was away. */
  static async open(options: CuttingProxyOptions): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get socketUrl(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy is closed');
    return `ws://127.0.0.1:${address.port}/v1/socket`;
  }

  /** From now on no answer passes the present lines; they are cut when the node ends, or late. */
  hush(): void {
    for (const line of this.#lines) line.hush(true);
  }

  close(): void {
    this.#server.close();
    for (const line of [...this.#lines]) line.cut();
  }

  #join(down: Socket, up: Socket): void {
    const line = new Line(down, up, this.#options, () => this.#lines.delete(line));
    this.#lines.add(line);
  }
}

/** Moves only forward: talking → hushed → cut. */
class Line {
  #mode: 'talking' | 'hushed' | 'cut' = 'talking';
  readonly #down: Socket;
  readonly #up: Socket;
  readonly #random: Random;
  readonly #onCut: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(down: Socket, up: Socket, options: CuttingProxyOptions, onCut: () => void) {
    this.#down = down;
    this.#up = up;
    this.#random = options.random;
    this.#onCut = onCut;
    for (const socket of [down, up]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
    }
    down.pipe(up);
    up.pipe(down);
    down.on('close', () => this.cut());
    up.on('close', () => this.cut());
    if (options.restless) this.#timer = setTimeout(() => this.hush(false), this.#random() * TALK_MOST_MS);
  }

  /** `held`: the line is not cut at the first lost answer. */
  hush(held: boolean): void {
    if (this.#mode === 'cut') return;
    this.#mode = 'hushed';
    this.#up.unpipe(this.#down);
    this.#up.removeAllListeners('data');
    if (held) this.#up.resume();
    else this.#up.once('data', () => this.#cutWithin(CUT_SOON_MS)).resume();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.cut(), CUT_LATE_MS);
  }

  cut(): void {
    if (this.#mode === 'cut') return;
    const said = this.#mode === 'talking';
    this.#mode = 'cut';
    clearTimeout(this.#timer);
    this.#up.destroy();
    // Data that the node sent before it ended still arrives.
    if (said) this.#down.destroySoon();
    else this.#down.destroy();
    this.#onCut();
  }

  #cutWithin(mostMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.cut(), this.#random() * mostMs);
  }
}
