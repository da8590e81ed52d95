// A program that writes one document over HTTP, at any node: patches on the head, on a base, and with If-Match on the version
// that it has just read; with an Idempotency-Key and without. It gives some requests up before their answer, as a client does
// whose connection is lost. A request with a key is then sent again until its answer is final; one without a key is not.
// Leaves its record for the checker and judges nothing.
import * as Y from 'yjs';
import type { KindName, Wire } from '../../protocol/messages.ts';
import { HttpNotes, type HttpRecord, type HttpWrite } from '../checker/http-records.ts';
import { markedPatch, patchRequest } from './http-patch.ts';
import { below, type Random } from './random-edits.ts';

export interface HttpWriterOptions {
  /** Where each node is reached, `http://host:port`. */
  readonly urls: readonly string[];
  readonly doc: string;
  readonly kind: KindName;
  /** Unique among all writers of a run: a-z and 0-9. */
  readonly name: string;
  /** On average, while every request is answered at once. */
  readonly writesPerSecond: number;
  readonly random: Random;
}

const KEYED_SHARE = 0.6;
const CONDITIONAL_SHARE = 0.4;
const BASED_SHARE = 0.2;
/** Requests that are given up within `LOST_WITHIN_MS`. */
const LOST_SHARE = 0.15;
const LOST_WITHIN_MS = 12;
/** Keyed writes that are sent again after their answer, and those of them that then carry another patch. */
const AGAIN_SHARE = 0.3;
const OTHER_SHARE = 0.4;
const PATIENCE_MS = 10_000;
const RETRY_MS = 100;

interface Answer {
  readonly status: number;
  readonly tag: string;
  readonly body: { readonly [name: string]: unknown };
}

export class HttpWriter {
  readonly #options: HttpWriterOptions;
  readonly #notes: HttpNotes;
  readonly #closing = new AbortController();
  /** The life of the document that was read last. */
  #history = '';
  #number = 0;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: HttpWriterOptions) {
    this.#options = options;
    this.#notes = new HttpNotes(options.doc, `http-writer ${options.name}`, options.kind);
  }

  get record(): HttpRecord {
    return this.#notes;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Begins no more writes; fulfilled when those with a key have their final answer. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** Gives up what is under way. */
  close(): void {
    this.#isStopped = true;
    this.#closing.abort();
  }

  async #run(): Promise<void> {
    const { random, writesPerSecond } = this.#options;
    while (!this.#isStopped) {
      await this.#pause((2 * random() * 1000) / writesPerSecond);
      if (this.#isStopped) return;
      await this.#next();
    }
  }

  async #next(): Promise<void> {
    const { random } = this.#options;
    const dice = random();
    const isConditional = dice < CONDITIONAL_SHARE;
    const isBased = !isConditional && dice < CONDITIONAL_SHARE + BASED_SHARE;
    const version = isConditional || isBased ? await this.#read() : undefined;
    if ((isConditional || isBased) && version === undefined) return;
    const { marker, op } = this.#make();
    const write = this.#notes.wrote({
      marker,
      op,
      ...(isConditional && version !== undefined && { ifVersion: version }),
      ...(isBased && version !== undefined && { base: version }),
      ...(random() < KEYED_SHARE && { key: `key of ${marker}` }),
    });
    await this.#send(write);
    if (write.key === undefined || write.fate.type !== 'ok' || random() >= AGAIN_SHARE) return;
    if (random() >= OTHER_SHARE) await this.#send(write);
    else await this.#sendOther(write);
  }

  /** Another patch under a key that has been applied is answered as the one before it. */
  async #sendOther({ key, fate }: HttpWrite): Promise<void> {
    const other = this.#notes.wrote({ ...this.#make(), ...(key !== undefined && { key }), isUsed: true });
    this.#notes.answered(other, fate);
    await this.#send(other);
  }

  /** Reads the head and returns its version; undefined if there was no answer. */
  async #read(): Promise<number | undefined> {
    const since = this.#notes.newest;
    const answer = await this.#ask('GET', {}, undefined);
    if (answer === undefined || isOpen(answer)) return undefined;
    const { history, version, content } = answer.body;
    if (answer.status !== 200 || typeof history !== 'string' || typeof version !== 'number') {
      this.#notes.broken('answer-wrong', `a read was answered ${answer.status} ${String(answer.body.code)}`);
      return undefined;
    }
    if (answer.tag !== `"${history}.${version}"`)
      this.#notes.broken('answer-wrong', `version ${version} of ${history} has the tag ${answer.tag}`);
    this.#history = history;
    this.#notes.read({ history, version, content: content as Wire }, since);
    return version;
  }

  /** Sends a write; one with a key until its answer is final. */
  async #send(write: HttpWrite): Promise<void> {
    const { key, ifVersion } = write;
    const request = patchRequest(this.#options.kind, write);
    const headers = {
      ...request.headers,
      ...(ifVersion !== undefined && { 'if-match': `"${this.#history}.${ifVersion}"` }),
    };
    for (;;) {
      write.sends += 1;
      const answer = await this.#ask('PATCH', headers, request.body);
      if (answer !== undefined && !isOpen(answer)) {
        this.#answered(write, answer);
        return;
      }
      // Without a key it may have been committed or not, and may not be sent again.
      if (key === undefined || this.#closing.signal.aborted) return;
      await this.#pause(RETRY_MS);
    }
  }

  #answered(write: HttpWrite, { status, tag, body }: Answer): void {
    const { version, code } = body;
    if (status === 200 && typeof version === 'number') {
      if (!tag.endsWith(`.${version}"`))
        this.#notes.broken('answer-wrong', `version ${version} has the tag ${tag}`);
      this.#notes.answered(write, { type: 'ok', version });
    } else if (FINAL.includes(`${status} ${String(code)}`)) {
      this.#notes.answered(write, { type: 'rejected', code: String(code) });
    } else this.#notes.broken('answer-wrong', `${write.marker} was answered ${status} ${String(code)}`);
  }

  /** One request to some node. Undefined: no answer. */
  async #ask(
    method: string,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
  ): Promise<Answer | undefined> {
    const { urls, doc, random } = this.#options;
    const base = urls[below(random, urls.length)] ?? '';
    const isLost = method === 'PATCH' && random() < LOST_SHARE;
    const patience = AbortSignal.timeout(isLost ? 1 + below(random, LOST_WITHIN_MS) : PATIENCE_MS);
    try {
      const response = await fetch(`${base}/v1/docs/${doc}`, {
        method,
        headers,
        ...(body !== undefined && { body }),
        signal: AbortSignal.any([patience, this.#closing.signal]),
      });
      const answer = (await response.json()) as Answer['body'];
      return { status: response.status, tag: response.headers.get('etag') ?? '', body: answer };
    } catch {
      return undefined;
    }
  }

  /** A patch that no other one of the run is like, and that finds its place in any document of the kind. */
  #make(): { readonly marker: string; readonly op: Wire } {
    const { name, kind, random } = this.#options;
    this.#number += 1;
    const marker = `[w${name}.${this.#number}]`;
    // A patch may be lost, so none builds on another one.
    const fresh = () => {
      const doc = new Y.Doc();
      doc.clientID = 1 + below(random, 2 ** 31);
      return doc;
    };
    return { marker, op: markedPatch(kind, name, marker, fresh) };
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
    });
  }
}

/** Answers by which nothing is decided: the request may come again. */
const isOpen = ({ status }: Answer): boolean => status === 503 || status === 429;

/** Refusals that are final. A base may be too old after a long fault. */
const FINAL: readonly string[] = ['412 precondition-failed', '410 version-too-old'];
