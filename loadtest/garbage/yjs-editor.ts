// A well-behaved client of one of the endpoints for Yjs providers: it edits a text and times how long each edit takes to be
// durable. It comes back to no other socket, because a bystander must not lose its own.
import { once } from 'node:events';
import { createDecoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { type Address, auth, step1, update } from './yjs-frames.ts';

const SYNC = 0;
const SYNC_STATUS = 8;

export class YjsEditor {
  readonly doc = new Y.Doc();
  /** Time from edit to durable, ms. */
  readonly latencies: number[] = [];
  readonly faults: string[] = [];
  readonly #address: Address;
  readonly #name: string;
  readonly #socket: WebSocket;
  readonly #waiting: number[] = [];
  #edits = 0;
  #isOver = false;
  readonly #opened: Promise<unknown>;

  /** `url`: the endpoint, with the document if the endpoint has it in its path. */
  constructor(name: string, url: string, address: Address) {
    this.#name = name;
    this.#address = address;
    this.#socket = new WebSocket(url, { perMessageDeflate: false });
    this.#opened = once(this.#socket, 'open');
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', (code) => {
      if (!this.#isOver) this.faults.push(`${name} was closed with ${code}`);
    });
    this.#socket.on('message', (data: Buffer) => this.#take(Uint8Array.from(data)));
  }

  async start(): Promise<void> {
    await this.#opened;
    if (this.#address !== undefined) this.#socket.send(auth(this.#address));
    this.#socket.send(step1(this.#address, Y.encodeStateVector(this.doc)));
  }

  /** Inserts a word that is like no other. */
  edit(): void {
    const before = Y.encodeStateVector(this.doc);
    this.doc.getText('t').insert(0, `${this.#name}-${++this.#edits};`);
    this.#waiting.push(performance.now());
    this.#socket.send(update(this.#address, Y.encodeStateAsUpdate(this.doc, before)));
  }

  get unsaved(): number {
    return this.#waiting.length;
  }

  get edits(): number {
    return this.#edits;
  }

  stop(): void {
    this.#isOver = true;
    this.#socket.terminate();
  }

  #take(frame: Uint8Array): void {
    const decoder = createDecoder(frame);
    if (this.#address !== undefined) readVarString(decoder);
    const type = readVarUint(decoder);
    if (type === SYNC_STATUS) {
      if (readVarUint(decoder) === 1) this.#saved();
      else this.faults.push(`${this.#name}: an edit was refused`);
    }
    if (type !== SYNC) return;
    const step = readVarUint(decoder);
    const bytes = readVarUint8Array(decoder);
    if (step === 0) return;
    Y.applyUpdate(this.doc, bytes);
    // y-websocket says by the echo that an edit is saved.
    if (this.#address === undefined && step === 2 && hasOnly(bytes, this.doc.clientID)) this.#saved();
  }

  #saved(): void {
    const since = this.#waiting.shift();
    if (since !== undefined) this.latencies.push(performance.now() - since);
  }
}

function hasOnly(bytes: Uint8Array, client: number): boolean {
  const { structs } = Y.decodeUpdate(bytes);
  return structs.length > 0 && structs.every(({ id }) => id.client === client);
}
