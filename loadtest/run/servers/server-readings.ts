// The CPU and memory of the servers while a load runs. `ServerReader` is a port; the processes that the run itself
// started are read from /proc. A value that cannot be read is undefined and never made up.
import { readFile } from 'node:fs/promises';

/** One node at one moment. */
export interface ServerReading {
  readonly node: string;
  /** Processors used since the reading before; undefined at the first. */
  readonly cpu: number | undefined;
  readonly residentBytes: number | undefined;
  /** Delay of the event loop of the thread with the longest; undefined without metrics. */
  readonly loopDelayMs: number | undefined;
}

export interface ServerReader {
  /** The nodes that can be read now. Never rejects. */
  read(): Promise<ServerReading[]>;
}

export interface Watched {
  readonly name: string;
  /** Undefined while it does not run. */
  pid(): number | undefined;
}

/** Clock ticks a second that Linux counts CPU time in; the same on all its platforms. */
const TICKS = 100;

export class ProcReader implements ServerReader {
  readonly #nodes: readonly Watched[];
  readonly #last = new Map<number, { readonly ticks: number; readonly at: number }>();
  readonly #now: () => number;

  constructor(nodes: readonly Watched[], now: () => number) {
    this.#nodes = nodes;
    this.#now = now;
  }

  async read(): Promise<ServerReading[]> {
    const readings = await Promise.all(this.#nodes.map((node) => this.#readOne(node)));
    return readings.filter((reading) => reading !== undefined);
  }

  async #readOne({ name, pid }: Watched): Promise<ServerReading | undefined> {
    const id = pid();
    if (id === undefined) return undefined;
    try {
      const [stat, status] = await Promise.all([
        readFile(`/proc/${id}/stat`, 'utf8'),
        readFile(`/proc/${id}/status`, 'utf8'),
      ]);
      // The name of the process may contain spaces and brackets.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = Number(fields[11]) + Number(fields[12]);
      const at = this.#now();
      const before = this.#last.get(id);
      this.#last.set(id, { ticks, at });
      const cpu =
        before === undefined || at <= before.at
          ? undefined
          : (ticks - before.ticks) / TICKS / ((at - before.at) / 1000);
      const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
      const residentBytes = kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
      return { node: name, cpu, residentBytes, loopDelayMs: undefined };
    } catch {
      // It has ended, or the system has no /proc.
      return undefined;
    }
  }
}
