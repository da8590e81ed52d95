// A TCP proxy that a chaos run puts between a node and its partner: another node, PostgreSQL or Redis. It
// silently loses data in one or both directions, refuses connections, or is slow. Data is lost as packets
// are: while the connection stands, it arrives once the hole is mended. The proxy knows no messages, and
// decides nothing.
import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';

export interface ChaosProxyOptions {
  /** Port of the target on this machine. */
  readonly targetPort: number;
  /** Names the caller by the first bytes that it sends. Left out: callers are not distinguished. */
  readonly callerOf?: (first: Uint8Array) => string;
}

/** `up`: data from the caller; `down`: data to the caller. */
export interface Hole {
  readonly up: boolean;
  readonly down: boolean;
}

const EVERYONE = '';
const WHOLE: Hole = { up: false, down: false };

export class ChaosProxy {
  readonly #options: ChaosProxyOptions;
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  readonly #holes = new Map<string, Hole>();
  #delayMs = 0;
  #port = 0;

  private constructor(options: ChaosProxyOptions) {
    this.#options = options;
    this.#server = createServer((caller) => this.#join(caller));
  }

  /** Listens on a port of its own. */
  static async open(options: ChaosProxyOptions): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(options);
    await proxy.accept();
    return proxy;
  }

  /** host:port */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /**
   * Loses data from now on, also of connections that are made meanwhile, in addition to earlier losses. If
   * `caller` is left out, the loss concerns all callers.
   */
  lose({ up, down }: Hole, caller = EVERYONE): void {
    const before = this.#holes.get(caller) ?? WHOLE;
    this.#holes.set(caller, { up: before.up || up, down: before.down || down });
    this.#apply();
  }

  /** Mends all holes: the waiting data goes on. */
  mend(): void {
    this.#holes.clear();
    this.#apply();
  }

  /** Ends all connections, as a reset does; new connections are accepted as before. */
  cut(): void {
    for (const line of [...this.#lines]) line.cut();
  }

  /** Ends all connections, and refuses new ones, until `accept`. */
  async refuse(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  async accept(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    this.#port = address.port;
  }

  /** Delays all data from now on, in both directions. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /**
   * Waits for the next message of these callers that ends with these bytes, and keeps the end back until
   * holes are mended.
   */
  keepBack(end: Uint8Array, callers: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      for (const line of this.#lines) if (callers.includes(line.name)) line.keepBack(end, resolve);
    });
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #join(caller: Socket): void {
    const begin = (name: string, first: Buffer | undefined): void => {
      const line = new Line(caller, this.#options.targetPort, name, first, {
        holeOf: (of) => this.#holeOf(of),
        delayMs: () => this.#delayMs,
        over: (over) => this.#lines.delete(over),
      });
      this.#lines.add(line);
    };
    caller.setNoDelay(true);
    caller.on('error', () => undefined);
    const { callerOf } = this.#options;
    if (callerOf === undefined) begin(EVERYONE, undefined);
    else caller.once('data', (first: Buffer) => begin(callerOf(first), first));
  }

  #holeOf(caller: string): Hole {
    const [own, all] = [this.#holes.get(caller) ?? WHOLE, this.#holes.get(EVERYONE) ?? WHOLE];
    return { up: own.up || all.up, down: own.down || all.down };
  }

  #apply(): void {
    for (const line of this.#lines) line.look();
  }
}

interface LineOptions {
  readonly holeOf: (caller: string) => Hole;
  readonly delayMs: () => number;
  readonly over: (line: Line) => void;
}

/** One connection. While the caller's data is lost, the target is not dialled. */
class Line {
  readonly name: string;
  readonly #caller: Socket;
  readonly #targetPort: number;
  readonly #options: LineOptions;
  readonly #up: Way;
  #down: Way | undefined;
  #target: Socket | undefined;
  #isOver = false;

  constructor(
    caller: Socket,
    targetPort: number,
    name: string,
    first: Buffer | undefined,
    options: LineOptions,
  ) {
    this.#caller = caller;
    this.#targetPort = targetPort;
    this.name = name;
    this.#options = options;
    this.#up = new Way(caller, options.delayMs, () => this.#ended());
    if (first !== undefined) this.#up.take(first);
    this.look();
  }

  look(): void {
    const { up, down } = this.#options.holeOf(this.name);
    if (!up && this.#target === undefined) this.#dial();
    this.#up.lose(up);
    this.#down?.lose(down);
  }

  keepBack(end: Uint8Array, done: () => void): void {
    this.#up.keepBack(end, done);
  }

  cut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#caller.destroy();
    this.#target?.destroy();
    this.#options.over(this);
  }

  #dial(): void {
    const target = dial(this.#targetPort, '127.0.0.1');
    target.setNoDelay(true);
    target.on('error', () => undefined);
    this.#target = target;
    this.#down = new Way(target, this.#options.delayMs, () => this.#ended());
    this.#up.leadTo(target);
    this.#down.leadTo(this.#caller);
  }

  /** One end is closed, and the close has been received. */
  #ended(): void {
    setTimeout(() => this.cut(), this.#options.delayMs());
  }
}

/** The data of one end on its way to the other. */
class Way {
  readonly #from: Socket;
  readonly #delayMs: () => number;
  #to: Socket | undefined;
  #isLost = false;
  #kept: Buffer[] = [];
  #watched: { readonly end: Buffer; readonly done: () => void } | undefined;

  constructor(from: Socket, delayMs: () => number, onEnd: () => void) {
    this.#from = from;
    this.#delayMs = delayMs;
    from.on('data', (chunk: Buffer) => this.take(chunk));
    from.on('close', onEnd);
  }

  leadTo(to: Socket): void {
    this.#to = to;
    to.on('drain', () => this.#flow());
    for (const chunk of this.#kept.splice(0)) this.#pass(chunk);
  }

  /** While it loses, the socket is not read: neither bytes nor its end are received. */
  lose(isLost: boolean): void {
    this.#isLost = isLost;
    if (!isLost && this.#to !== undefined) for (const chunk of this.#kept.splice(0)) this.#pass(chunk);
    this.#flow();
  }

  keepBack(end: Uint8Array, done: () => void): void {
    this.#watched = { end: Buffer.from(end), done };
  }

  take(chunk: Buffer): void {
    const watched = this.#watched;
    const isIt = watched !== undefined && chunk.subarray(-watched.end.length).equals(watched.end);
    if (isIt && this.#kept.length === 0) {
      this.#watched = undefined;
      this.#pass(chunk.subarray(0, -watched.end.length));
      this.#kept.push(watched.end);
      this.#isLost = true;
      this.#flow();
      watched.done();
    } else if (this.#isLost || this.#to === undefined || this.#kept.length > 0) this.#kept.push(chunk);
    else this.#pass(chunk);
  }

  #pass(chunk: Buffer): void {
    const to = this.#to;
    if (to === undefined) return;
    const delayMs = this.#delayMs();
    if (delayMs > 0) {
      setTimeout(() => to.write(chunk), delayMs);
      return;
    }
    if (!to.write(chunk)) this.#from.pause();
  }

  #flow(): void {
    if (this.#isLost) this.#from.pause();
    else if (!this.#to?.writableNeedDrain) this.#from.resume();
  }
}
