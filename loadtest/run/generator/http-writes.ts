// The HTTP writes of one process of the load: its share of those that a scenario asks for, at a constant rate. Each
// connection is a program that writes its documents in turn, one patch at a time. A patch without a final answer is sent again
// with its Idempotency-Key when the next one would be due. Leaves records for the checker.
import { setTimeout as waitFor } from 'node:timers/promises';
import type { Request } from 'autocannon';
import * as Y from 'yjs';
import type { KindName } from '../../../protocol/messages.ts';
import { HttpNotes, type HttpRecord, type HttpWrite } from '../../checker/http-records.ts';
import { markedPatch, type PatchRequest, patchRequest } from '../../clients/http-patch.ts';
import { RunFailure } from '../../command-line/cli-options.ts';
import type { Scenario } from '../../scenarios/scenario.ts';
import type { Figures } from '../figures.ts';
import { HttpRequests, originOf, partOf, timeAnswer } from './http-requests.ts';

export interface WrittenDocument {
  readonly doc: string;
  readonly kind: KindName;
  /** Whether its log is read at the end. Of others no records are kept. */
  readonly isChecked: boolean;
}

export interface HttpWritesOptions {
  /** Socket URLs of the nodes; the requests are spread over them. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** Documents that this process writes. */
  readonly docs: readonly WrittenDocument[];
  readonly http: Pick<Scenario['http'], 'writesPerSecond' | 'connections'>;
  /** Number of this process, and of all processes. */
  readonly index: number;
  readonly processes: number;
  readonly figures: Figures;
}

const LOOK_MS = 20;
const CREATE_AGAIN_MS = 1_000;
const CREATE_MS = 60_000;

export class HttpWrites {
  readonly #options: HttpWritesOptions;
  readonly #requests: HttpRequests;
  readonly #rate: number;
  readonly #programs: Program[] = [];

  constructor(options: HttpWritesOptions) {
    this.#options = options;
    const { urls, token, docs, http, index, processes, figures } = options;
    this.#rate = docs.length === 0 ? 0 : partOf(http.writesPerSecond, index, processes);
    this.#requests = new HttpRequests({
      urls,
      token,
      rate: this.#rate,
      connections: partOf(http.connections, index, processes),
      requestsOf: (connection, everyMs) => {
        const program = new Program(`p${index}c${connection}`, docs, figures, everyMs);
        this.#programs.push(program);
        return [program.request];
      },
    });
  }

  /** By `HTTP STATUS`, or by the reason for which no answer came. */
  get errors(): ReadonlyMap<string, number> {
    return this.#requests.errors;
  }

  /** Creates the documents that do not exist yet: a PATCH creates none. Rejects with RunFailure if a node refuses. */
  async createDocuments(): Promise<void> {
    if (this.#rate === 0) return;
    const deadline = performance.now() + CREATE_MS;
    for (const document of this.#options.docs) {
      for (;;) {
        const status = await this.#create(document);
        if (status === 201 || status === 409) break;
        if ((status !== 429 && status !== 503) || performance.now() > deadline)
          throw new RunFailure(`${document.doc} was not created over HTTP: status ${status}`);
        await waitFor(CREATE_AGAIN_MS);
      }
    }
  }

  /** Begins at once. Rejects with RunFailure if autocannon is not installed. */
  begin(): Promise<void> {
    return this.#requests.begin();
  }

  /** Adds the writes that have come due since the last call to the counts. */
  countDue(): void {
    this.#options.figures.counts.writes += this.#requests.takeDue();
  }

  /**
   * Begins no more writes. Fulfilled when those that are under way have their answers, and at the deadline at the latest, which
   * is a time by performance.now().
   */
  async stop(deadline: number): Promise<void> {
    this.countDue();
    for (const program of this.#programs) program.end();
    while (performance.now() < deadline && this.#programs.some(({ isWaiting }) => isWaiting))
      await waitFor(LOOK_MS);
    this.#requests.stop();
  }

  records(): HttpRecord[] {
    return this.#programs.flatMap((program) => program.records());
  }

  async #create({ doc, kind }: WrittenDocument): Promise<number> {
    const { urls, token } = this.#options;
    const response = await fetch(`${originOf(urls[0] ?? '')}/v1/docs/${doc}`, {
      method: 'PUT',
      headers: {
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ kind }),
    });
    await response.arrayBuffer();
    return response.status;
  }
}

/** The patch that a connection sends. */
interface Sending {
  readonly doc: string;
  readonly notes: HttpNotes;
  readonly write: HttpWrite;
  readonly request: PatchRequest;
  /** When it was sent first, by performance.now(). */
  readonly since: number;
}

/** One connection. Its name is in its markers and keys. */
class Program {
  /** Autocannon calls it before each sending, also for one that it does not make. */
  readonly request: Request;
  readonly #name: string;
  readonly #docs: readonly WrittenDocument[];
  readonly #figures: Figures;
  readonly #everyMs: number;
  readonly #notes = new Map<string, HttpNotes>();
  readonly #texts = new Map<string, Y.Doc>();
  #number = 0;
  #sending: Sending | undefined;
  #isEnding = false;

  constructor(name: string, docs: readonly WrittenDocument[], figures: Figures, everyMs: number) {
    this.#name = name;
    this.#docs = docs;
    this.#figures = figures;
    this.#everyMs = everyMs;
    this.request = {
      method: 'PATCH',
      setupRequest: (request) => {
        // Every request that is due must be one.
        if (this.#isEnding && this.#sending === undefined)
          return { ...request, method: 'GET', path: '/healthz' };
        this.#sending ??= this.#next();
        this.#sending.write.sends += 1;
        const { doc, request: patch } = this.#sending;
        const headers = { ...request.headers, ...patch.headers };
        return { ...request, path: `/v1/docs/${doc}`, headers, body: patch.body };
      },
      onResponse: (status, body) => this.#answered(status, body),
    };
  }

  get isWaiting(): boolean {
    return this.#sending !== undefined;
  }

  end(): void {
    this.#isEnding = true;
  }

  records(): HttpRecord[] {
    return [...this.#notes.values()];
  }

  #next(): Sending {
    const { doc, kind, isChecked } = this.#docs[this.#number % this.#docs.length] ?? NO_DOCUMENT;
    this.#number += 1;
    const marker = `[w${this.#name}.${this.#number}]`;
    let notes = this.#notes.get(doc);
    if (notes === undefined) {
      notes = new HttpNotes(doc, `http ${this.#name}`, kind);
      if (isChecked) this.#notes.set(doc, notes);
    }
    const op = markedPatch(kind, this.#name, marker, () => this.#textOf(doc));
    const key = `key of ${marker}`;
    const write = notes.wrote({ marker, op, key });
    return { doc, notes, write, request: patchRequest(kind, { op, key }), since: performance.now() };
  }

  #textOf(doc: string): Y.Doc {
    let text = this.#texts.get(doc);
    if (text === undefined) {
      text = new Y.Doc();
      this.#texts.set(doc, text);
    }
    return text;
  }

  #answered(status: number, body: string): void {
    const sending = this.#sending;
    // It stays, and is sent again.
    if (sending === undefined || status === 429 || status === 503) return;
    const { doc, notes, write, since } = sending;
    this.#sending = undefined;
    const { version, code } = answerOf(body);
    if (status === 200 && typeof version === 'number') {
      this.#figures.counts.written += 1;
      timeAnswer(this.#figures, 'write', performance.now() - since, this.#everyMs);
      notes.answered(write, { type: 'ok', version });
      return;
    }
    // The document of the server lacks the patch, and later ones of this text would build on it.
    this.#texts.delete(doc);
    if (typeof code === 'string') notes.answered(write, { type: 'rejected', code });
    else notes.broken('answer-wrong', `${write.marker} was answered ${status} ${body.slice(0, 100)}`);
  }
}

const NO_DOCUMENT: WrittenDocument = { doc: '', kind: 'json', isChecked: false };

function answerOf(body: string): { readonly version?: unknown; readonly code?: unknown } {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
