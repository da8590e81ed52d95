// The documents of a running node, over its HTTP API. Every write passes through the document's owner, from whichever
// node, so a cluster may run and people may edit meanwhile.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { StartError } from '../../../config/fatal.ts';
import type { NodeTokens } from './node-tokens.ts';
import { partsOf } from './parts.ts';

/** The node has refused a request, and will refuse it again. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** `update` is undefined unless the document is of the kind `yjs`. */
export interface FoundDocument {
  readonly kind: string;
  readonly update: Uint8Array | undefined;
}

export interface ListedDocument {
  readonly doc: string;
  readonly kind: string;
}

/** For how long a request is sent again while the node is busy, starts, or is away. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 500;
const ANSWER_MS = 120_000;
const PAGE = 1_000;
/** A creation costs a node no more than `limits.workMs`, and a patch has no more than `limits.opBytes` in base64. */
const CONTENT_BYTES = 1_048_576;
const PATCH_BYTES = 131_072;

const REFUSAL = z.object({ code: z.string(), message: z.string(), retryable: z.boolean() });
const CONTENT = z.object({ kind: z.string(), content: z.unknown() });
const LIST = z.object({
  docs: z.array(z.object({ doc: z.string(), kind: z.string() })),
  next: z.string().optional(),
});

export class NodeDocuments {
  readonly #node: URL;
  readonly #tokens: NodeTokens;
  readonly #patienceMs: number;
  /** False until the node has answered once: a wrong address is told at once. */
  #hasAnswered = false;

  constructor(node: URL, tokens: NodeTokens, patienceMs = PATIENCE_MS) {
    this.#node = node;
    this.#tokens = tokens;
    this.#patienceMs = patienceMs;
  }

  /** Undefined if there is no such document. */
  async read(doc: string): Promise<FoundDocument | undefined> {
    try {
      const { kind, content } = CONTENT.parse(await this.#call('GET', doc));
      return { kind, update: kind === 'yjs' ? Buffer.from(z.string().parse(content), 'base64') : undefined };
    } catch (error) {
      if (error instanceof Refused && error.code === 'not-found') return undefined;
      throw error;
    }
  }

  /** Refused with `exists` if the name is in use. */
  async create(doc: string, update: Uint8Array): Promise<void> {
    const [first = update, ...rest] = partsOf(update, CONTENT_BYTES, PATCH_BYTES);
    await this.#call('PUT', doc, { kind: 'yjs', content: base64(first) });
    for (const part of rest) await this.#call('PATCH', doc, { op: base64(part) });
  }

  async add(doc: string, update: Uint8Array): Promise<void> {
    for (const part of partsOf(update, PATCH_BYTES, PATCH_BYTES))
      await this.#call('PATCH', doc, { op: base64(part) });
  }

  /** The documents of an organisation whose names begin with `prefix`. */
  async *list(org: string, prefix: string): AsyncGenerator<ListedDocument> {
    for (let cursor: string | undefined; ; ) {
      const query = new URLSearchParams({ limit: String(PAGE), ...(prefix === '' ? {} : { prefix }) });
      if (cursor !== undefined) query.set('cursor', cursor);
      const page = LIST.parse(await this.#call('GET', `${org}?${query}`));
      yield* page.docs;
      if (page.next === undefined) return;
      cursor = page.next;
    }
  }

  /** A request that is sent again is carried out once: it keeps its key. */
  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const org = path.slice(0, /[/?]|$/.exec(path)?.index);
    const key = randomUUID();
    const until = performance.now() + this.#patienceMs;
    for (;;) {
      const token = await this.#tokens.forOrg(org);
      const answer = await this.#send(
        method,
        path,
        {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': key }),
        },
        body,
      );
      if ('value' in answer) return answer.value;
      if (answer.afterMs === undefined || performance.now() >= until) throw answer.error;
      await sleep(answer.afterMs);
    }
  }

  /** An error without `afterMs` is final. */
  async #send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: object | undefined,
  ): Promise<{ value: unknown } | { error: Error; afterMs?: number }> {
    const url = new URL(`v1/docs/${path}`, this.#node);
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        method,
        headers,
        redirect: 'error',
        signal: AbortSignal.timeout(ANSWER_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (error) {
      const reason =
        error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      return {
        error: new StartError(`no node answers at ${this.#node}: ${reason}`, { cause: error }),
        ...(this.#hasAnswered ? { afterMs: PAUSE_MS } : {}),
      };
    }
    this.#hasAnswered = true;
    if (response.ok) return { value: text === '' ? undefined : JSON.parse(text) };
    const refusal = REFUSAL.safeParse(readJson(text));
    const { code, message, retryable } = refusal.success
      ? refusal.data
      : { code: 'internal', message: `status ${response.status}`, retryable: response.status >= 500 };
    if (code === 'unauthenticated')
      return { error: new StartError(`the node does not take the token: ${message}`) };
    if (!retryable) return { error: new Refused(code, message) };
    const seconds = Number(response.headers.get('retry-after'));
    return {
      error: new StartError(`the node answers ${code}: ${message}`),
      afterMs: Math.min(seconds > 0 ? seconds * 1000 : PAUSE_MS, 10_000),
    };
  }
}

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
