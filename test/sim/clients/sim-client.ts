// A simulated editor: a client of the wire contract with some documents open. It edits them at random,
// records everything that it sends and receives, and connects to some node again whenever its connection
// ends.

import { Recorder } from '../../../loadtest/checker/records.ts';
import type { Random } from '../../../loadtest/clients/random-edits.ts';
import { readServerMessage } from '../../../loadtest/clients/server-message.ts';
import { type Codec, jsonCodec, msgpackCodec } from '../../../protocol/codec.ts';
import type { ClientMessage, KindName, ServerMessage } from '../../../protocol/messages.ts';
import type { SimNode } from '../machines/sim-node.ts';
import { between, type World } from '../world.ts';
import type { ClientEnd, Connection } from './connection.ts';
import { type Passed, SimDocument } from './sim-document.ts';

/** Clients whose user may show no presence. */
const isIntruder = (client: string): boolean => /^(viewer|stranger)-/.test(client);

export interface SimClientOptions {
  readonly world: World;
  readonly name: string;
  readonly nodes: readonly SimNode[];
  /** Time between two edits, ms. */
  readonly editMs: readonly [number, number];
  readonly documents: readonly { readonly doc: string; readonly kind: KindName }[];
  /** Called when a document was opened, with its version and the time of the request. */
  readonly onOpened: (doc: string, version: number, askedAtMs: number) => void;
  readonly onVersion: (doc: string, version: number) => void;
  readonly onPassed: (passed: Passed) => void;
}

/** The chance of several edits in one turn, so that some wait while others are on their way. */
const BURST_CHANCE = 0.25;
const MOST_IN_BURST = 5;
/**
 * The submits of a client that pipelines far beyond limits.inflight. It follows the contract on refused seqs.
 */
const PIPELINED = 100;
const PIPELINE_CHANCE = 0.02;
const PRESENCE_CHANCE = 0.03;
const REOPEN_CHANCE = 0.01;
const BACKOFF_MS = [20, 400] as const;
const PING_MS = 1500;
/** A connection on which nothing has come for this long is given up. */
const SILENT_MS = 4000;

export class SimClient {
  readonly recorder: Recorder;
  readonly documents: ReadonlyMap<string, SimDocument>;
  readonly #options: SimClientOptions;
  readonly #random: Random;
  readonly #codec: Codec;
  readonly #pipelines: boolean;
  #connection: Connection | undefined;
  #editing = true;
  #welcomed = false;
  #heardAtMs = 0;

  constructor(options: SimClientOptions) {
    const { world, name } = options;
    const { scheduler } = world;
    this.#options = options;
    this.#random = world.random(`client ${name}`);
    this.#codec = this.#random() < 0.5 ? jsonCodec : msgpackCodec;
    this.#pipelines = this.#random() < 0.25;
    this.recorder = new Recorder(name, { replicas: true, now: scheduler.now });
    const documents = new Map<string, SimDocument>();
    for (const { doc, kind } of options.documents) {
      documents.set(
        doc,
        new SimDocument({
          doc,
          kind,
          random: this.#random,
          recorder: this.recorder,
          scheduler,
          inflight: this.#pipelines
            ? PIPELINED
            : this.#random() < 0.5
              ? 1
              : 2 + Math.floor(this.#random() * 8),
          eager: this.#random() < 0.5,
          send: (message) => this.#send(message),
          onOpened: (version, askedAtMs) => options.onOpened(doc, version, askedAtMs),
          onVersion: (version) => options.onVersion(doc, version),
          onPassed: (passed) => options.onPassed({ doc, client: name, ...passed }),
        }),
      );
    }
    this.documents = documents;
  }

  start(): void {
    const { scheduler } = this.#options.world;
    scheduler.after(between(this.#random, BACKOFF_MS), () => this.#dial());
    this.#editSoon();
    scheduler.every(PING_MS, () => this.#ping());
  }

  /** Ends the edits. */
  quiet(): void {
    this.#editing = false;
  }

  /** Makes one more edit in each document. */
  editAll(): void {
    for (const document of this.documents.values()) document.edit();
  }

  get isConnected(): boolean {
    return this.#welcomed;
  }

  /** The network drops the connection. The first `share` of the frames under way still arrives. */
  drop(share = this.#random()): void {
    this.#connection?.breakOff(share);
  }

  #editSoon(): void {
    this.#options.world.scheduler.after(between(this.#random, this.#options.editMs), () => {
      if (!this.#editing) return;
      this.#editSoon();
      const all = [...this.documents.values()];
      const document = all[Math.floor(this.#random() * all.length)];
      const dice = this.#random();
      if (document === undefined) return;
      if (dice < REOPEN_CHANCE) document.reopen();
      else if (dice < REOPEN_CHANCE + PRESENCE_CHANCE && document.live)
        this.#send({ type: 'presence', doc: document.doc, data: { at: Math.floor(dice * 1e6) } });
      else for (let left = this.#burst(); left > 0; left--) document.edit();
    });
  }

  #burst(): number {
    if (this.#pipelines && this.#random() < PIPELINE_CHANCE) return PIPELINED;
    return this.#random() < BURST_CHANCE ? MOST_IN_BURST : 1;
  }

  #dial(): void {
    const { nodes, world } = this.#options;
    const node = nodes[Math.floor(this.#random() * nodes.length)];
    let dialled: Connection | undefined;
    const isCurrent = (): boolean => this.#connection === dialled;
    const end: ClientEnd = {
      frame: (payload, binary, sentAtMs) => {
        if (isCurrent()) this.#frame(payload, binary, sentAtMs);
      },
      closed: (code) => {
        if (isCurrent()) this.#lost(code);
      },
    };
    dialled = node?.dial(this.#codec, end);
    if (dialled === undefined) {
      world.scheduler.after(between(this.#random, BACKOFF_MS), () => this.#dial());
      return;
    }
    this.#connection = dialled;
    this.#heardAtMs = world.scheduler.now();
    world.trace.line(() => `${this.recorder.client} dials ${node?.name}`);
    this.#send({ type: 'hello', client: this.recorder.client });
  }

  #lost(code: number): void {
    const { world } = this.#options;
    world.trace.line(() => `${this.recorder.client} lost ${code}`);
    world.count(`told: closed ${code}`);
    this.#connection = undefined;
    this.#welcomed = false;
    this.recorder.lost();
    for (const document of this.documents.values()) document.lost();
    world.scheduler.after(between(this.#random, BACKOFF_MS), () => this.#dial());
  }

  #ping(): void {
    const connection = this.#connection;
    const options = this.#options;
    if (connection === undefined) return;
    if (options.world.scheduler.now() - this.#heardAtMs < SILENT_MS) {
      this.#send({ type: 'ping' });
      return;
    }
    connection.close();
    this.#lost(0);
  }

  #send(message: ClientMessage): void {
    if (this.#connection === undefined) return;
    this.recorder.sent(message);
    this.#options.world.trace.line(
      () => `${this.recorder.client} > ${JSON.stringify(message).slice(0, 160)}`,
    );
    this.#connection.send(this.#codec.encode(message));
  }

  #frame(payload: Uint8Array, binary: boolean, sentAtMs: number): void {
    const { trace, scheduler } = this.#options.world;
    this.#heardAtMs = scheduler.now();
    trace.bytes(payload);
    let message: ServerMessage | undefined;
    try {
      if (binary !== this.#codec.binary) throw new Error('a frame of the other subprotocol');
      message = readServerMessage(
        this.#codec.decode(binary ? payload : Buffer.from(payload).toString('utf8')),
      );
    } catch (error) {
      this.recorder.malformed(String(error));
    }
    if (message === undefined) return;
    const told = message;
    trace.line(() => `${this.recorder.client} < ${JSON.stringify(told).slice(0, 160)}`);
    this.recorder.received(message);
    this.#take(message, sentAtMs);
  }

  #take(message: ServerMessage, sentAtMs: number): void {
    switch (message.type) {
      case 'welcome':
        this.#welcomed = true;
        for (const document of this.documents.values()) document.subscribe();
        return;
      case 'error':
        this.#options.world.count(`told: error ${message.code}`);
        if (message.doc !== undefined) this.documents.get(message.doc)?.failed(message, sentAtMs);
        return;
      case 'opened':
      case 'commit':
      case 'ack':
      case 'reject':
      case 'closed':
        if (message.type === 'closed' && message.code !== undefined)
          this.#options.world.count(`told: closed ${message.code}`);
        if (message.type === 'ack') this.#options.world.count('acks of duplicates');
        this.documents.get(message.doc)?.take(message);
        return;
      case 'presence':
        for (const name of Object.keys(message.states))
          if (isIntruder(name))
            this.#options.world.violated('rights-broken', `${message.doc}: the presence of ${name} was told`);
        return;
      case 'role':
      case 'draining':
      case 'nodes':
      case 'pong':
        return;
      default:
        message satisfies never;
    }
  }
}
