// Measures how many Yjs clients that join one large document at once get what they lack, and how long edits of others
// take meanwhile. The clients have a process of their own, and so does the node. Each round has a new document, so nothing
// of it has been prepared by an earlier join. It judges nothing.
import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import * as Y from 'yjs';
import { NodeProcess } from '../nodes/node-process.ts';
import { withDataDirectory } from '../nodes/temporary-node.ts';
import { answerOf } from '../presence/answer-of.ts';
import type { JoiningOrder, JoiningReport } from './joining-process.ts';
import { JOINING_WIRES, type JoiningWire, type JoiningWireName } from './joining-wire.ts';

export interface JoiningOptions {
  readonly wire: JoiningWireName;
  readonly clients: number;
  /** Bytes of the document. */
  readonly bytes: number;
  readonly rounds: number;
  /** Compiled entry point of the node; default: that of this build. */
  readonly main: string | undefined;
  readonly signal: AbortSignal;
}

/** Times in ms, not in order. */
export interface JoiningTimes {
  /** From the first step of each client to its second step. */
  readonly synced: number[];
  /** From the sending of an edit to its return, of another document and of the large one. */
  readonly elsewhere: number[];
  readonly inside: number[];
  /** Bytes that all clients got. */
  received: number;
  /** Processor time of the node while clients joined, in ms. Linux. */
  cpuMs: number;
}

export interface Joining {
  /** Clients that have nothing. */
  readonly empty: JoiningTimes;
  /** Clients that have the first 60 to 95 % of the document, each another part. */
  readonly away: JoiningTimes;
}

const OTHER = 'measured/other';
/** The unit of times in /proc. */
const TICK_MS = 10;
/** Letters of a struct, authors of the document, and most bytes of an update. */
const LETTERS = 40;
const AUTHORS = 5;
const UPDATE_BYTES = 2 * 1024 * 1024;
const EDIT_EVERY_MS = 20;
/** Between two rounds, so that the node is at rest when the next one begins. */
const REST_MS = 1_000;

export async function joining({
  wire,
  clients,
  bytes,
  rounds,
  main,
  signal,
}: JoiningOptions): Promise<Joining> {
  return await withDataDirectory(async (directory) => {
    const documentBytes = Math.max(1024 * 1024, 2 * bytes);
    const node = await NodeProcess.start({
      storage: { directory },
      detached: true,
      set: [`limits.documentBytes=${documentBytes}`, `limits.receiveBytes=${2 * documentBytes}`],
      ...(main === undefined ? {} : { main }),
    });
    const joiners = fork(fileURLToPath(new URL('./joining-process.js', import.meta.url)), { detached: true });
    try {
      const origin = `ws://127.0.0.1:${node.port}`;
      const found = { empty: noTimes(), away: noTimes() };
      for (let round = 0; round < rounds; round++) {
        for (const [name, times] of Object.entries(found)) {
          signal.throwIfAborted();
          const doc = `measured/${name}-${round}`;
          const vectors = await write(origin, doc, bytes);
          const vectorOf = (share: number): string =>
            Buffer.from(
              Y.encodeStateVector(
                new Map([...vectors].map(([client, clock]) => [client, Math.floor(clock * share)])),
              ),
            ).toString('base64');
          const shareOf = (at: number): number => (name === 'empty' ? 0 : 0.6 + (0.35 * at) / clients);
          const order: JoiningOrder = {
            wire,
            origin,
            doc,
            vectors: Array.from({ length: clients }, (_, at) => vectorOf(shareOf(at))),
          };
          await new Promise((resolve) => setTimeout(resolve, REST_MS));
          await join(joiners, order, vectorOf(1), times, node.pid);
        }
      }
      return found;
    } finally {
      joiners.kill('SIGKILL');
      await node.stop();
    }
  });
}

const noTimes = (): JoiningTimes => ({ synced: [], elsewhere: [], inside: [], received: 0, cpuMs: 0 });

/** Writes the document and returns the clocks of its authors. */
async function write(origin: string, doc: string, bytes: number): Promise<Map<number, number>> {
  const writer = await Editor.open(JOINING_WIRES['y-websocket'], origin, doc, NOTHING);
  const docs = Array.from({ length: AUTHORS }, () => new Y.Doc());
  let written = 0;
  for (let turn = 0; written < bytes; turn++) {
    const author = docs[turn % AUTHORS] ?? new Y.Doc();
    const before = Y.encodeStateVector(author);
    author.transact(() => {
      const text = author.getText('text');
      for (let size = 0; size < UPDATE_BYTES - 4096; size += LETTERS + 20)
        text.insert(0, `${Math.random().toString(36).slice(2)} `.repeat(LETTERS / 10).slice(0, LETTERS));
    });
    const update = Y.encodeStateAsUpdate(author, before);
    written += update.length;
    await writer.edit(update);
  }
  writer.close();
  return new Map(docs.map((author) => [author.clientID, Y.getState(author.store, author.clientID)]));
}

/** Lets the clients join, and adds what was measured to `times`. `all`: the state vector of the whole document. */
async function join(
  joiners: ChildProcess,
  order: JoiningOrder,
  all: string,
  times: JoiningTimes,
  pid: number,
): Promise<void> {
  const wire = JOINING_WIRES[order.wire];
  const inside = await Editor.open(wire, order.origin, order.doc, Buffer.from(all, 'base64'));
  const elsewhere = await Editor.open(wire, order.origin, OTHER, NOTHING);
  await answerOf(joiners, order);
  inside.type();
  elsewhere.type();
  const before = await cpuMs(pid);
  const { synced, received } = (await answerOf(joiners, 'join')) as JoiningReport;
  times.cpuMs += (await cpuMs(pid)) - before;
  times.synced.push(...synced);
  times.received += received;
  times.inside.push(...(await inside.typed()));
  times.elsewhere.push(...(await elsewhere.typed()));
  inside.close();
  elsewhere.close();
}

/** Processor time of all threads of a process, in ms. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return TICK_MS * (Number(fields[11]) + Number(fields[12]));
}

/** The state vector of a client that has nothing. */
const NOTHING = Uint8Array.of(0);

interface Pending {
  readonly update: Uint8Array;
  readonly back: () => void;
  readonly lost: (error: Error) => void;
}

/** A client that sends updates and waits for their return, by which they are durable. */
class Editor {
  readonly #wire: JoiningWire;
  readonly #socket: WebSocket;
  readonly #name: string;
  /** Updates that have not come back, in order. */
  readonly #pending: Pending[] = [];
  #timer: NodeJS.Timeout | undefined;
  #times: Promise<number>[] = [];

  private constructor(wire: JoiningWire, socket: WebSocket, name: string) {
    this.#wire = wire;
    this.#socket = socket;
    this.#name = name;
    socket.on('message', (data: Buffer) => {
      const update = wire.hear(data)?.update;
      const [first] = this.#pending;
      if (update === undefined || first === undefined || Buffer.compare(update, first.update) !== 0) return;
      this.#pending.shift();
      first.back();
    });
    socket.once('close', (code) => {
      for (const { lost } of this.#pending) lost(new Error(`an editor was closed: ${code}`));
    });
  }

  static async open(wire: JoiningWire, origin: string, doc: string, vector: Uint8Array): Promise<Editor> {
    const socket = new WebSocket(wire.urlFor(origin, doc), { perMessageDeflate: false });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const opened = new Promise<void>((resolve, reject) => {
      const listen = (data: Buffer): void => {
        if (wire.hear(data)?.isStep2 !== true) return;
        socket.off('message', listen);
        resolve();
      };
      socket.on('message', listen);
      socket.once('close', (code) => reject(new Error(`an editor was closed: ${code}`)));
    });
    for (const frame of wire.join(doc, vector)) socket.send(frame);
    await opened;
    return new Editor(wire, socket, doc);
  }

  /** Resolves when the update has come back. */
  edit(update: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ update, back: resolve, lost: reject });
      this.#socket.send(this.#wire.update(this.#name, update));
    });
  }

  /** Types a letter every 20 ms from now on. */
  type(): void {
    const doc = new Y.Doc();
    this.#timer = setInterval(() => {
      const before = Y.encodeStateVector(doc);
      doc.getText('edits').insert(0, 'x');
      const from = performance.now();
      this.#times.push(this.edit(Y.encodeStateAsUpdate(doc, before)).then(() => performance.now() - from));
    }, EDIT_EVERY_MS);
  }

  /** Types no more, and returns the times of all edits. */
  async typed(): Promise<number[]> {
    clearInterval(this.#timer);
    return await Promise.all(this.#times);
  }

  close(): void {
    this.#socket.terminate();
  }
}
