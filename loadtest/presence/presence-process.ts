// The process of the readers: each of them opens one document and sets its own presence once a second. Every
// state carries a number. Most readers count the states of a frame. A few read every frame, and miss no number of any client.
import { setPriority } from 'node:os';
import { WebSocket } from 'ws';
import { pause } from '../costly/costly-client.ts';
import { PRESENCE_WIRES, type PresenceWire, type PresenceWireName } from './presence-wire.ts';

export interface PresenceOrder {
  readonly url: string;
  readonly doc: string;
  readonly wire: PresenceWireName;
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
  readonly #wire: PresenceWire;

  constructor(order: PresenceOrder) {
    this.#order = order;
    this.#wire = PRESENCE_WIRES[order.wire];
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
        this.#sentAt.set(`${index}/${number}`, performance.now());
        this.#sent++;
        socket.send(this.#wire.move(index, number, this.#order.doc));
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
    const wire = this.#wire;
    const socket = new WebSocket(wire.urlFor(url, doc), wire.subprotocol ?? [], { perMessageDeflate: false });
    this.#sockets[index] = socket;
    const witness = index < witnesses ? new Map<number, number>() : undefined;
    return new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () => {
        for (const frame of wire.begin(index, doc)) socket.send(frame);
      });
      socket.on('close', (code) => {
        if (!this.#isOver) this.#fault(`reader ${index}: closed ${code}`);
      });
      socket.on('message', (data: Buffer) => {
        const heard = wire.hear(data);
        if (heard === 'opened') resolve();
        else if (heard === 'presence') this.#take(index, data, witness);
        else if (heard !== undefined) this.#fault(`reader ${index}: ${heard.error}`);
      });
    });
  }

  #take(reader: number, frame: Buffer, witness: Map<number, number> | undefined): void {
    if (!this.#isCounting) return;
    const states = this.#wire.count(frame, this.#order.doc);
    if (Number.isNaN(states)) this.#fault(`reader ${reader}: a frame of ${frame.length} bytes`);
    else this.#received += states;
    this.#frames++;
    this.#bytes += frame.length;
    if (witness !== undefined) this.#examine(reader, frame, witness);
  }

  #examine(reader: number, frame: Buffer, witness: Map<number, number>): void {
    const now = performance.now();
    for (const [mover, number] of this.#wire.read(frame)) {
      const last = witness.get(mover) ?? 0;
      if (number !== last + 1) this.#fault(`reader ${reader} got ${number} of ${mover} after ${last}`);
      witness.set(mover, number);
      const sent = this.#sentAt.get(`${mover}/${number}`);
      if (sent !== undefined) this.#latencies.push(now - sent);
    }
  }

  #fault(line: string): void {
    if (this.#faults.length < 100) this.#faults.push(line);
  }
}

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
