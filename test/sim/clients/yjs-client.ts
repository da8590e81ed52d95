// A simulated provider of Yjs, as y-websocket is one: it has one document open on a socket, edits it also while it is not
// connected, and answers the server's step 1. Everything that the server has ever told it must be in the log at the end, and
// its own edits.
import * as Y from 'yjs';
import type { Random } from '../../../loadtest/clients/random-edits.ts';
import { writeAwareness } from '../../../src/yjs/wire/awareness.ts';
import { awarenessBody, step1Body, step2Body, updateBody } from '../../../src/yjs/wire/body.ts';
import { readYWebsocket } from '../../../src/yjs/wire/y-websocket.ts';
import type { SimNode } from '../machines/sim-node.ts';
import { between, type World } from '../world.ts';
import type { ClientEnd, Connection } from './connection.ts';

export interface YjsClientOptions {
  readonly world: World;
  readonly name: string;
  /** The number that Yjs gives to a Y.Doc: its clientID. */
  readonly yjsClient: number;
  readonly nodes: readonly SimNode[];
  readonly doc: string;
}

const EDIT_MS = [50, 700] as const;
const BACKOFF_MS = [100, 2_500] as const;
const PRESENCE_CHANCE = 0.1;
const REMOVE_CHANCE = 0.3;
/** A socket on which nothing has come for this long is given up. The server says something every 10 s. */
const SILENT_MS = 15_000;
/** Not a message of which the server's codec knows. */
const PERMISSION_DENIED = 2;

export class YjsClient {
  readonly doc: string;
  readonly #options: YjsClientOptions;
  readonly #random: Random;
  readonly #own = new Y.Doc();
  /** Everything that the server has told, and nothing else. */
  readonly #told = new Y.Doc();
  #connection: Connection | undefined;
  #isSynced = false;
  #isEditing = true;
  #heardAtMs = 0;
  #clock = 0;
  /** Bytes of a frame whose end has not come. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(options: YjsClientOptions) {
    this.doc = options.doc;
    this.#options = options;
    this.#random = options.world.random(options.name);
    this.#own.clientID = options.yjsClient;
    this.#own.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.#send(updateBody(update));
    });
  }

  start(): void {
    const { scheduler } = this.#options.world;
    scheduler.after(between(this.#random, BACKOFF_MS), () => this.#dial());
    scheduler.every(1_000, () => this.#look());
    this.#editSoon();
  }

  quiet(): void {
    this.#isEditing = false;
  }

  edit(): void {
    const text = this.#own.getText('t');
    const at = Math.floor(this.#random() * (text.length + 1));
    if (text.length > 0 && this.#random() < REMOVE_CHANCE) text.delete(Math.min(at, text.length - 1), 1);
    else text.insert(at, String.fromCharCode(97 + Math.floor(this.#random() * 26)));
  }

  drop(): void {
    this.#connection?.breakOff(this.#random());
  }

  /** Undefined if the client is synced, and has the same document as the log. */
  missing(log: Y.Doc): string | undefined {
    const { name } = this.#options;
    if (!this.#isSynced) return `${name} is not synced`;
    if (!isIn(Y.encodeStateAsUpdate(this.#own), log))
      return `${name} has edits of ${this.doc} that are not in the log`;
    return isIn(Y.encodeStateAsUpdate(log), this.#own) ? undefined : `${name} lacks edits of ${this.doc}`;
  }

  /** True if all that the server has told is in this document. */
  isToldIn(log: Y.Doc): boolean {
    return isIn(Y.encodeStateAsUpdate(this.#told), log);
  }

  #editSoon(): void {
    this.#options.world.scheduler.after(between(this.#random, EDIT_MS), () => {
      if (!this.#isEditing) return;
      this.#editSoon();
      if (this.#random() < PRESENCE_CHANCE) this.#tellPresence();
      else this.edit();
    });
  }

  #tellPresence(): void {
    const state = { yjsClient: this.#own.clientID, clock: ++this.#clock, text: `{"at":${this.#clock}}` };
    this.#send(awarenessBody(writeAwareness([state])));
  }

  #dial(): void {
    const { nodes, world, doc, name } = this.#options;
    const node = nodes[Math.floor(this.#random() * nodes.length)];
    let dialled: Connection | undefined;
    const isCurrent = (): boolean => this.#connection === dialled;
    const end: ClientEnd = {
      frame: (bytes) => {
        if (isCurrent()) this.#take(bytes);
      },
      closed: (code) => {
        if (isCurrent()) this.#lost(code);
      },
    };
    dialled = node?.dialYjs(doc, end);
    if (dialled === undefined) {
      world.scheduler.after(between(this.#random, BACKOFF_MS), () => this.#dial());
      return;
    }
    world.trace.line(() => `${name} dials ${node?.name}`);
    this.#connection = dialled;
    this.#heardAtMs = world.scheduler.now();
    this.#rest = Buffer.alloc(0);
    this.#send(step1Body(Y.encodeStateVector(this.#own)));
    this.#tellPresence();
  }

  #lost(code: number): void {
    const { world, name } = this.#options;
    world.trace.line(() => `${name} lost ${code}`);
    world.count(`told: closed ${code} (Yjs)`);
    this.#connection = undefined;
    this.#isSynced = false;
    world.scheduler.after(between(this.#random, BACKOFF_MS), () => this.#dial());
  }

  #look(): void {
    if (this.#connection === undefined) return;
    if (this.#options.world.scheduler.now() - this.#heardAtMs < SILENT_MS) return;
    this.#connection.close();
    this.#lost(0);
  }

  #send(body: Uint8Array): void {
    this.#connection?.send(Uint8Array.from(body));
  }

  #take(bytes: Uint8Array): void {
    const { world } = this.#options;
    world.trace.bytes(bytes);
    this.#heardAtMs = world.scheduler.now();
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const payload = this.#frame();
      if (payload === undefined) return;
      this.#message(payload);
    }
  }

  /** The payload of the first frame, if all of it has come. */
  #frame(): Uint8Array | undefined {
    const rest = this.#rest;
    const short = (rest[1] ?? 0) & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < head) return undefined;
    const length =
      short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.length < head + length) return undefined;
    this.#rest = rest.subarray(head + length);
    return Uint8Array.from(rest.subarray(head, head + length));
  }

  #message(payload: Uint8Array): void {
    if (payload[0] === PERMISSION_DENIED) {
      this.#options.world.violated('crash', `${this.#options.name} was denied`);
      return;
    }
    const message = readYWebsocket(payload);
    switch (message.type) {
      case 'step-1':
        this.#send(step2Body(Y.encodeStateAsUpdate(this.#own, message.stateVector)));
        return;
      case 'step-2':
      case 'update':
        Y.applyUpdate(this.#told, message.update);
        Y.applyUpdate(this.#own, message.update, this);
        if (message.type === 'step-2') this.#isSynced = true;
        else this.#options.world.count('updates that Yjs clients were told');
        return;
      default:
        return;
    }
  }
}

/** True if the document has all structs and deletions of the update. */
function isIn(update: Uint8Array, doc: Y.Doc): boolean {
  const both = new Y.Doc();
  Y.applyUpdate(both, Y.encodeStateAsUpdate(doc));
  const before = Y.snapshot(both);
  Y.applyUpdate(both, update);
  return Y.equalSnapshots(before, Y.snapshot(both));
}
