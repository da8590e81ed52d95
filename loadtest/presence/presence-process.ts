// The process of the readers: each of them opens one document and sets its own presence once a second. Every
// state carries a number, and all states have the same length, so a reader counts the states of a frame
// without parsing it. A few readers parse every frame, and miss no number of any client.
import { setPriority } from 'node:os';
import { WebSocket } from 'ws';
import { jsonCodec } from '../../protocol/codec.ts';
import { pause } from '../costly/costly-client.ts';

export interface PresenceOrder {
  readonly url: string;
  readonly doc: string;
  readonly readers: number;
  /** Readers that parse every frame. */
  readonly witnesses: number;
}

export interface PresenceReport {
  readonly sent: number;
  /** States that all readers got together. */
  readonly received: number;
  readonly frames: number;
  readonly bytes: number;
  /** Time from a state's sending to its arrival at a witness, ms. */
  readonly latencies: readonly number[];
  readonly faults: readonly string[];
}

/** Opening takes place in steps of this many sockets, so that a small backlog of connections holds them. */
const AT_ONCE = 50;
const MOVE_MS = 1000;
/** The last states are on their way for this long. */
const SETTLE_MS = 3000;

class Readers {
  readonly #order: PresenceOrder;
  readonly #sockets: WebSocket[] = [];
  readonly #sentAt = new Map<string, number>();
  readonly #latencies: number[] = [];
  readonly #faults: string[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #sent = 0;
  #received = 0;
  #frames = 0;
  #bytes = 0;
  #isCounting = false;
  #isOver = false;
  /** Bytes of a frame beyond its states, and bytes of a state. Known from the shapes below. */
  readonly #around: number;
  readonly #each: number;

  constructor(order: PresenceOrder) {
    this.#order = order;
    this.#around = frameOf(order.doc, []).length;
    this.#each = frameOf(order.doc, [stateOf(0, 0)]).length - this.#around;
  }

  async open(): Promise<void> {
    const { readers } = this.#order;
    for (let from = 0; from < readers; from += AT_ONCE) {
      const many = Math.min(AT_ONCE, readers - from);
      await Promise.all(Array.from({ length: many }, (_, place) => this.#openOne(from + place)));
    }
  }

  /** From here on states are counted. Every reader begins to move at its own time within a second. */
  begin(): void {
    this.#isCounting = true;
    for (const [index, socket] of this.#sockets.entries()) {
      let number = 0;
      const move = (): void => {
        if (this.#isOver || socket.readyState !== WebSocket.OPEN) return;
        number++;
        const [client, data] = stateOf(index, number);
        this.#sentAt.set(`${client}/${data.at}`, performance.now());
        this.#sent++;
        socket.send(jsonCodec.encode({ type: 'presence', doc: this.#order.doc, data }));
      };
      const first = setTimeout(
        () => {
          move();
          this.#timers.push(setInterval(move, MOVE_MS));
        },
        (MOVE_MS * index) / this.#order.readers,
      );
      this.#timers.push(first);
    }
  }

  async end(): Promise<PresenceReport> {
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await pause(SETTLE_MS);
    this.#isCounting = false;
    const sent = this.#sent;
    const received = this.#received;
    const frames = this.#frames;
    const bytes = this.#bytes;
    const latencies = this.#latencies;
    const faults = this.#faults;
    for (const socket of this.#sockets) socket.terminate();
    return { sent, received, frames, bytes, latencies, faults };
  }

  #openOne(index: number): Promise<void> {
    const { url, doc, witnesses } = this.#order;
    const socket = new WebSocket(url, jsonCodec.subprotocol, { perMessageDeflate: false });
    this.#sockets[index] = socket;
    const [client] = stateOf(index, 0);
    const witness = index < witnesses ? new Map<string, number>() : undefined;
    return new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => {
        socket.send(jsonCodec.encode({ type: 'hello', client }));
        socket.send(jsonCodec.encode({ type: 'open', doc, kind: 'json' }));
      });
      socket.on('close', (code) => {
        if (!this.#isOver) this.#fault(`${client}: closed ${code}`);
      });
      socket.on('message', (data: Buffer) => {
        const head = data.toString('latin1', 0, 20);
        if (head.startsWith('{"type":"opened"')) resolve();
        else if (head.startsWith('{"type":"error"')) this.#fault(`${client}: ${data.toString()}`);
        else if (head.startsWith('{"type":"presence"')) this.#take(client, data, witness);
      });
    });
  }

  #take(client: string, data: Buffer, witness: Map<string, number> | undefined): void {
    if (!this.#isCounting) return;
    // The states have commas between them.
    const states = (data.length - this.#around + 1) / (this.#each + 1);
    if (!Number.isInteger(states)) this.#fault(`${client}: a frame of ${data.length} bytes`);
    this.#received += states;
    this.#frames++;
    this.#bytes += data.length;
    if (witness !== undefined) this.#examine(client, data, witness);
  }

  #examine(client: string, data: Buffer, witness: Map<string, number>): void {
    const now = performance.now();
    const { states } = JSON.parse(data.toString()) as { states: Record<string, { at: string }> };
    for (const [mover, { at }] of Object.entries(states)) {
      const number = Number(at);
      const last = witness.get(mover) ?? 0;
      if (number !== last + 1) this.#fault(`${client} got ${number} of ${mover} after ${last}`);
      witness.set(mover, number);
      const sent = this.#sentAt.get(`${mover}/${at}`);
      if (sent !== undefined) this.#latencies.push(now - sent);
    }
  }

  #fault(line: string): void {
    if (this.#faults.length < 100) this.#faults.push(line);
  }
}

type State = readonly [client: string, data: { readonly at: string; readonly name: string; color: string }];

/** A cursor as editors have it, of the same length for every client and number. */
function stateOf(index: number, number: number): State {
  const client = String(index).padStart(6, '0');
  return [
    `presence-${client}`,
    { at: String(number).padStart(8, '0'), name: `Reader ${client}`, color: '#4078c0' },
  ];
}

const frameOf = (doc: string, states: readonly State[]): string =>
  JSON.stringify({ type: 'presence', doc, states: Object.fromEntries(states) });

/** The parent sends an order, then `begin`, then `end`. It is told `open` and, at the end, the report. */
if (process.send !== undefined) {
  // Readers bring processors of their own: their use of the processor must not count as the server's.
  setPriority(10);
  let readers: Readers | undefined;
  process.on('message', (message: PresenceOrder | 'begin' | 'end') => {
    if (message === 'begin') readers?.begin();
    else if (message === 'end')
      void readers?.end().then((report) => process.send?.(report, () => process.exit(0)));
    else {
      readers = new Readers(message);
      void readers.open().then(() => process.send?.('open'));
    }
  });
  process.on('disconnect', () => process.exit(0));
}
