// A TCP proxy that a chaos run sets between a node and whom it talks to, other nodes, PostgreSQL or Redis. It
// loses what goes one way or both, without a word, refuses, or is slow. What is lost is lost as packets are: while
// the connection stands it comes after all once the hole is mended. It knows no messages, and decides nothing.
import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';

export interface ChaosProxyOptions {
  /** On this machine. */
  readonly targetPort: number;
  /** Who dials, by the first bytes it sends; left out: nobody is told from another. */
  readonly callerOf?: (first: Uint8Array) => string;
}

/** `up`: what the caller says; `down`: what it is answered. */
export interface Hole {
  readonly up: boolean;
  readonly down: boolean;
}

const EVERYONE = '';
const WHOLE: Hole = { up: false, down: false };

export class ChaosProxy {
  private readonly options: ChaosProxyOptions;
  private readonly server: Server;
  private readonly lines = new Set<Line>();
  private readonly holes = new Map<string, Hole>();
  private delayMs = 0;
  private port = 0;

  private constructor(options: ChaosProxyOptions) {
    this.options = options;
    this.server = createServer((caller) => this.join(caller));
  }

  /** Listens on a port of its own. */
  static async open(options: ChaosProxyOptions): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(options);
    await proxy.accept();
    return proxy;
  }

  /** host:port */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** From now on, also for connections that are made meanwhile, beside what is lost already; `caller` left out: for all. */
  lose({ up, down }: Hole, caller = EVERYONE): void {
    const before = this.holes.get(caller) ?? WHOLE;
    this.holes.set(caller, { up: before.up || up, down: before.down || down });
    this.apply();
  }

  /** All holes are mended: what waited goes on. */
  mend(): void {
    this.holes.clear();
    this.apply();
  }

  /** Ends all connections, as a reset does; the next ones are made as ever. */
  cut(): void {
    for (const line of [...this.lines]) line.cut();
  }

  /** Ends all connections, and refuses new ones, until `accept`. */
  async refuse(): Promise<void> {
    this.server.close();
    this.cut();
    await once(this.server, 'close');
  }

  async accept(): Promise<void> {
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    this.port = address.port;
  }

  /** Whatever comes from now on, either way, comes so much later. */
  slow(delayMs: number): void {
    this.delayMs = delayMs;
  }

  /** Of the next thing that these callers say which ends so, the end is kept back until holes are mended. */
  keepBack(end: Uint8Array, callers: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      for (const line of this.lines) if (callers.includes(line.name)) line.keepBack(end, resolve);
    });
  }

  close(): void {
    this.server.close();
    this.cut();
  }

  private join(caller: Socket): void {
    const begin = (name: string, first: Buffer | undefined): void => {
      const line = new Line(caller, this.options.targetPort, name, first, {
        holeOf: (of) => this.holeOf(of),
        delayMs: () => this.delayMs,
        over: (over) => this.lines.delete(over),
      });
      this.lines.add(line);
    };
    caller.setNoDelay(true);
    caller.on('error', () => undefined);
    const { callerOf } = this.options;
    if (callerOf === undefined) begin(EVERYONE, undefined);
    else caller.once('data', (first: Buffer) => begin(callerOf(first), first));
  }

  private holeOf(caller: string): Hole {
    const [own, all] = [this.holes.get(caller) ?? WHOLE, this.holes.get(EVERYONE) ?? WHOLE];
    return { up: own.up || all.up, down: own.down || all.down };
  }

  private apply(): void {
    for (const line of this.lines) line.look();
  }
}

interface LineOptions {
  readonly holeOf: (caller: string) => Hole;
  readonly delayMs: () => number;
  readonly over: (line: Line) => void;
}

/** One connection. Nobody is dialled while what the caller says is lost. */
class Line {
  readonly name: string;
  private readonly caller: Socket;
  private readonly targetPort: number;
  private readonly options: LineOptions;
  private readonly up: Way;
  private down: Way | undefined;
  private target: Socket | undefined;
  private isOver = false;

  constructor(
    caller: Socket,
    targetPort: number,
    name: string,
    first: Buffer | undefined,
    options: LineOptions,
  ) {
    this.caller = caller;
    this.targetPort = targetPort;
    this.name = name;
    this.options = options;
    this.up = new Way(caller, options.delayMs, () => this.ended());
    if (first !== undefined) this.up.take(first);
    this.look();
  }

  look(): void {
    const { up, down } = this.options.holeOf(this.name);
    if (!up && this.target === undefined) this.dial();
    this.up.lose(up);
    this.down?.lose(down);
  }

  keepBack(end: Uint8Array, done: () => void): void {
    this.up.keepBack(end, done);
  }

  cut(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.caller.destroy();
    this.target?.destroy();
    this.options.over(this);
  }

  private dial(): void {
    const target = dial(this.targetPort, '127.0.0.1');
    target.setNoDelay(true);
    target.on('error', () => undefined);
    this.target = target;
    this.down = new Way(target, this.options.delayMs, () => this.ended());
    this.up.leadTo(target);
    this.down.leadTo(this.caller);
  }

  /** One end is closed, and has been heard. */
  private ended(): void {
    setTimeout(() => this.cut(), this.options.delayMs());
  }
}

/** What one end says, on its way to the other. */
class Way {
  private readonly from: Socket;
  private readonly delayMs: () => number;
  private to: Socket | undefined;
  private isLost = false;
  private kept: Buffer[] = [];
  private watched: { readonly end: Buffer; readonly done: () => void } | undefined;

  constructor(from: Socket, delayMs: () => number, onEnd: () => void) {
    this.from = from;
    this.delayMs = delayMs;
    from.on('data', (chunk: Buffer) => this.take(chunk));
    from.on('close', onEnd);
  }

  leadTo(to: Socket): void {
    this.to = to;
    to.on('drain', () => this.flow());
    for (const chunk of this.kept.splice(0)) this.pass(chunk);
  }

  /** The socket is not read: neither bytes nor its end are heard. */
  lose(isLost: boolean): void {
    this.isLost = isLost;
    if (!isLost && this.to !== undefined) for (const chunk of this.kept.splice(0)) this.pass(chunk);
    this.flow();
  }

  keepBack(end: Uint8Array, done: () => void): void {
    this.watched = { end: Buffer.from(end), done };
  }

  take(chunk: Buffer): void {
    const { watched } = this;
    const isIt = watched !== undefined && chunk.subarray(-watched.end.length).equals(watched.end);
    if (isIt && this.kept.length === 0) {
      this.watched = undefined;
      this.pass(chunk.subarray(0, -watched.end.length));
      this.kept.push(watched.end);
      this.isLost = true;
      this.flow();
      watched.done();
    } else if (this.isLost || this.to === undefined || this.kept.length > 0) this.kept.push(chunk);
    else this.pass(chunk);
  }

  private pass(chunk: Buffer): void {
    const { to } = this;
    if (to === undefined) return;
    const delayMs = this.delayMs();
    if (delayMs > 0) {
      setTimeout(() => to.write(chunk), delayMs);
      return;
    }
    if (!to.write(chunk)) this.from.pause();
  }

  private flow(): void {
    if (this.isLost) this.from.pause();
    else if (!this.to?.writableNeedDrain) this.from.resume();
  }
}
