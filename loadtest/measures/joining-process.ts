// The process of the clients that join a large document at once. They keep no document, because twenty of them would
// occupy this process.
import { setPriority } from 'node:os';
import WebSocket from 'ws';
import { JOINING_WIRES, type JoiningWireName } from './joining-wire.ts';

export interface JoiningOrder {
  readonly wire: JoiningWireName;
  readonly origin: string;
  readonly doc: string;
  /** The state vector of each client, in base64. */
  readonly vectors: readonly string[];
}

export interface JoiningReport {
  /** From the first step of each client to its second step, ms. */
  readonly synced: readonly number[];
  /** Bytes that all clients got. */
  readonly received: number;
}

class Joiners {
  readonly #order: JoiningOrder;
  #sockets: readonly WebSocket[] = [];

  constructor(order: JoiningOrder) {
    this.#order = order;
  }

  async connect(): Promise<void> {
    const { wire, origin, doc, vectors } = this.#order;
    const url = JOINING_WIRES[wire].urlFor(origin, doc);
    this.#sockets = vectors.map(() => new WebSocket(url, { perMessageDeflate: false }));
    await Promise.all(
      this.#sockets.map(
        (socket) => new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)),
      ),
    );
  }

  async join(): Promise<JoiningReport> {
    const { wire, doc, vectors } = this.#order;
    const { join, hear } = JOINING_WIRES[wire];
    let received = 0;
    const synced = await Promise.all(
      this.#sockets.map(async (socket, at) => {
        const from = performance.now();
        for (const frame of join(doc, Buffer.from(vectors[at] ?? '', 'base64'))) socket.send(frame);
        await new Promise<void>((resolve, reject) => {
          socket.on('message', (data: Buffer) => {
            received += data.length;
            if (hear(data)?.isStep2 === true) resolve();
          });
          socket.once('close', (code) => reject(new Error(`a client that joined was closed: ${code}`)));
        });
        return performance.now() - from;
      }),
    );
    for (const socket of this.#sockets) socket.terminate();
    return { synced, received };
  }
}

/** The parent sends an order, and is told `connected`. It sends `join`, and is told the report. An error ends the process. */
if (process.send !== undefined) {
  // Clients bring processors of their own: their use of the processor must not count as the server's.
  setPriority(10);
  let joiners: Joiners | undefined;
  process.on('message', (message: JoiningOrder | 'join') => {
    if (message === 'join') void joiners?.join().then((report) => process.send?.(report));
    else {
      joiners = new Joiners(message);
      void joiners.connect().then(() => process.send?.('connected'));
    }
  });
  process.on('disconnect', () => process.exit(0));
}
