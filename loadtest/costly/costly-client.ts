// One client that sends legal and costly messages. It keeps many submits in transit, obeys the answers (it
// waits as long as it is told, and opens the document again after an open seq), and counts the answers. It
// keeps no replica and no record: it is a load, not a witness.
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { type Codec, jsonCodec, msgpackCodec } from '../../protocol/codec.ts';
import type { ClientMessage, KindName, Wire } from '../../protocol/messages.ts';
import { readServerMessage } from '../clients/server-message.ts';

export interface CostlyPatch {
  readonly op: Wire;
  /** Versions behind the head. Left out: on the head at the time of arrival. */
  readonly behind?: number;
}

/** Submits in transit at once. */
const PIPELINE = 16;
/** A request without an answer for this long is a fault. */
const ANSWER_MS = 60_000;
/** Wait if the server gives no time. */
const RETRY_MS = 200;
const RECEIVE_BYTES = 64 << 20;

export class CostlyClient {
  /** Answers by code; `commit` and `opened` among them. */
  readonly answers: Record<string, number> = {};
  readonly faults: string[] = [];
  readonly id: string;
  readonly #url: string;
  readonly #codec: Codec;
  #socket: WebSocket | undefined;
  readonly #documents = new Map<string, OpenDocument>();
  #over = false;

  constructor(url: string, id: string, encoding: 'json' | 'msgpack') {
    this.#url = url;
    this.id = id;
    this.#codec = encoding === 'json' ? jsonCodec : msgpackCodec;
  }

  /** Opens the document, creates it if it is missing, and returns its version; -1 if that was refused. */
  async open(doc: string, kind: KindName): Promise<number> {
    await this.#connect();
    const document = this.#documents.get(doc) ?? { kind, seq: 0, version: 0, waiting: new Map() };
    this.#documents.set(doc, document);
    const opened = this.#wait(document, OPENED);
    this.#send({ type: 'open', doc, kind });
    const { code, retryMs } = await opened;
    if (code === 'opened') return document.version;
    this.#documents.delete(doc);
    await pause(retryMs);
    return -1;
  }

  close(doc: string): void {
    if (this.#documents.delete(doc)) this.#send({ type: 'close', doc });
  }

  /**
   * Sends the patches, with up to PIPELINE in transit at once. After an open seq it waits, opens the document
   * again, and skips the remaining patches.
   */
  async flood(doc: string, kind: KindName, patches: Iterable<CostlyPatch>): Promise<void> {
    if (!this.#documents.has(doc) && (await this.open(doc, kind)) < 0) return;
    const document = this.#documents.get(doc);
    if (document === undefined) return;
    const underWay = new Set<Promise<void>>();
    let openFor: number | undefined;
    for (const { op, behind } of patches) {
      if (this.#over || openFor !== undefined || this.#documents.get(doc) !== document) break;
      const seq = ++document.seq;
      const base = behind === undefined ? undefined : Math.max(0, document.version - behind);
      const answer = this.#wait(document, seq).then(({ open, retryMs }) => {
        if (open) openFor = Math.max(openFor ?? 0, retryMs);
        underWay.delete(answer);
      });
      underWay.add(answer);
      this.#send({ type: 'submit', doc, seq, op, ...(base === undefined ? {} : { base }) });
      if (underWay.size >= PIPELINE) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    if (openFor === undefined || this.#over) return;
    await pause(openFor);
    await this.open(doc, kind);
  }

  /** Sends an old seq again, and waits for its answer. */
  async again(doc: string, kind: KindName, seq: number, op: Wire): Promise<void> {
    if (!this.#documents.has(doc) && (await this.open(doc, kind)) < 0) return;
    const document = this.#documents.get(doc);
    if (document === undefined || seq > document.seq) return;
    const answer = this.#wait(document, seq);
    this.#send({ type: 'submit', doc, seq, op });
    await pause((await answer).retryMs);
  }

  presence(doc: string, data: { readonly text: string }): void {
    this.#send({ type: 'presence', doc, data });
  }

  stop(): void {
    this.#over = true;
    this.#socket?.terminate();
    this.#settleAll();
  }

  async #connect(): Promise<void> {
    while (!this.#over && this.#socket?.readyState !== WebSocket.OPEN) {
      const socket = new WebSocket(this.#url, this.#codec.subprotocol, {
        perMessageDeflate: false,
        maxPayload: RECEIVE_BYTES,
      });
      this.#socket = socket;
      socket.on('error', () => undefined);
      socket.on('close', (code) => this.#lost(socket, code));
      socket.on('message', (data: Buffer, isBinary) => {
        if (this.#socket === socket) this.#take(data, isBinary);
      });
      try {
        await once(socket, 'open');
        this.#send({ type: 'hello', client: this.id });
      } catch {
        await pause(RETRY_MS);
      }
    }
  }

  #lost(socket: WebSocket, code: number): void {
    if (this.#socket !== socket || this.#over) return;
    this.#count(`closed ${code}`);
    this.#documents.clear();
    this.#settleAll();
  }

  #settleAll(): void {
    for (const [, { waiting }] of this.#documents) {
      for (const settle of waiting.values()) settle({ code: 'lost', open: true, retryMs: RETRY_MS });
      waiting.clear();
    }
    for (const settle of this.#pending) settle({ code: 'lost', open: true, retryMs: RETRY_MS });
    this.#pending.clear();
  }

  /** All waiting requests, also those of documents that were closed since. */
  readonly #pending = new Set<(answer: Answer) => void>();

  #wait(document: OpenDocument, what: number): Promise<Answer> {
    return new Promise((resolve) => {
      const settle = (answer: Answer): void => {
        clearTimeout(timer);
        this.#pending.delete(settle);
        if (document.waiting.get(what) === settle) document.waiting.delete(what);
        resolve(answer);
      };
      const timer = setTimeout(() => {
        this.faults.push(`${this.id}: no answer within ${ANSWER_MS} ms`);
        settle({ code: 'none', open: true, retryMs: RETRY_MS });
      }, ANSWER_MS);
      document.waiting.set(what, settle);
      this.#pending.add(settle);
    });
  }

  #take(data: Buffer, isBinary: boolean): void {
    const codec = isBinary ? msgpackCodec : jsonCodec;
    const message = readServerMessage(codec.decode(isBinary ? data : data.toString('utf8')));
    if (message === undefined) return;
    const document =
      'doc' in message && message.doc !== undefined ? this.#documents.get(message.doc) : undefined;
    const settle = (what: number, answer: Answer): void => document?.waiting.get(what)?.(answer);
    switch (message.type) {
      case 'opened':
        this.#count('opened');
        if (document === undefined) return;
        document.version = message.version;
        document.seq = Math.max(document.seq, message.lastSeq ?? 0);
        settle(OPENED, { code: 'opened', open: false, retryMs: 0 });
        return;
      case 'commit':
        if (document !== undefined) document.version = message.version;
        for (const { client, seq } of message.ops) {
          if (client !== this.id) continue;
          this.#count('commit');
          settle(seq, FINE);
        }
        return;
      case 'ack':
        this.#count('ack');
        settle(message.seq, FINE);
        return;
      case 'reject':
        this.#count(message.code);
        settle(message.seq, FINE);
        return;
      case 'error': {
        this.#count(message.code);
        if (message.code === 'internal') this.faults.push(`${this.id}: ${message.message}`);
        const retryMs = message.retryAfterMs ?? RETRY_MS;
        settle(message.seq ?? OPENED, { code: message.code, open: true, retryMs });
        return;
      }
      case 'closed':
        this.#count(`closed ${message.code ?? ''}`);
        if (message.code !== undefined) this.#documents.delete(message.doc);
        return;
      default:
        return;
    }
  }

  #count(code: string): void {
    this.answers[code] = (this.answers[code] ?? 0) + 1;
  }

  #send(message: ClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(this.#codec.encode(message));
  }
}

interface OpenDocument {
  readonly kind: KindName;
  /** The last used seq. */
  seq: number;
  version: number;
  readonly waiting: Map<number, (answer: Answer) => void>;
}

interface Answer {
  readonly code: string;
  /** The seq stays open, or the document could not be opened. */
  readonly open: boolean;
  readonly retryMs: number;
}

/** Stands in place of a seq while `opened` is awaited. */
const OPENED = 0;
const FINE: Answer = { code: 'fine', open: false, retryMs: 0 };

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
