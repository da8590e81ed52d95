// The past of one document, asked from the node over HTTP. Knows the routes and nothing of how they are shown.
import { TroupeError } from '../../client/index.ts';
import { ERROR_CODES, type ErrorCode } from '../../protocol/errors.ts';
import type { Wire } from '../../protocol/messages.ts';

/** A patch as committed. */
export interface PastPatch {
  readonly version: number;
  readonly client: string;
  readonly user: string;
  /** ms since 1970 */
  readonly at: number;
  readonly op: Wire;
}

export interface NamedVersion {
  readonly name: string;
  readonly version: number;
}

/** Patches that one answer may have, and that are read at once. */
export const PAGE = 1_000;
const ANSWER_TIMEOUT_MS = 30_000;

export class Past {
  readonly #base: string;
  readonly #headers: () => Promise<Readonly<Record<string, string>>>;

  /** `headers`: those that tell the node who asks. */
  constructor(doc: string, headers: () => Promise<Readonly<Record<string, string>>>) {
    this.#base = `/v1/docs/${doc.split('/').map(encodeURIComponent).join('/')}`;
    this.#headers = headers;
  }

  /** The patches `from` to `to`, without those that are no longer kept. At most PAGE of them. */
  async patches(from: number, to: number): Promise<readonly PastPatch[]> {
    const found: PastPatch[] = [];
    let query = `from=${from}&to=${to}&limit=${PAGE}`;
    for (;;) {
      let answer: unknown;
      try {
        answer = await this.#ask('GET', `/history?${query}`);
      } catch (error) {
        if (!(error instanceof TroupeError) || error.code !== 'version-too-old' || !query.startsWith('from'))
          throw error;
        query = `to=${to}&limit=${PAGE}`;
        continue;
      }
      const { ops, next } = answer as { ops: (Omit<PastPatch, 'at'> & { at: string })[]; next?: string };
      for (const op of ops) found.push({ ...op, at: Date.parse(op.at) });
      if (next === undefined || found.length >= PAGE) return found;
      query = `to=${to}&limit=${PAGE}&cursor=${next}`;
    }
  }

  async contentAt(version: number): Promise<Wire> {
    const { content } = (await this.#ask('GET', `?version=${version}`)) as { content: Wire };
    return content;
  }

  async names(): Promise<readonly NamedVersion[]> {
    const { versions } = (await this.#ask('GET', `/versions?limit=${PAGE}`)) as { versions: NamedVersion[] };
    return versions;
  }

  async name(name: string, version: number): Promise<void> {
    await this.#ask('PUT', `/versions/${encodeURIComponent(name)}`, { version });
  }

  async removeName(name: string): Promise<void> {
    await this.#ask('DELETE', `/versions/${encodeURIComponent(name)}`);
  }

  async restore(version: number): Promise<void> {
    await this.#ask('POST', '/restore', { version });
  }

  /** Takes back the patches `from` to `to`, or those of `user` among them. */
  async revert(from: number, to: number, user: string | undefined): Promise<void> {
    await this.#ask('POST', '/revert', user === undefined ? { from, to } : { from, to, user });
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const isWrite = method === 'POST' || method === 'PUT';
    const answer = await fetch(`${this.#base}${path}`, {
      method,
      cache: 'no-store',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      headers: {
        ...(await this.#headers()),
        ...(isWrite ? { 'content-type': 'application/json' } : {}),
        // The browser may send a request again whose answer was lost.
        ...(method === 'POST' ? { 'idempotency-key': crypto.randomUUID() } : {}),
      },
      ...(isWrite ? { body: JSON.stringify(body ?? {}) } : {}),
    });
    const text = await answer.text();
    const value: unknown = text === '' ? undefined : JSON.parse(text);
    if (!answer.ok) throw errorIn(value);
    return value;
  }
}

function errorIn(value: unknown): TroupeError {
  const { code, message } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const known = typeof code === 'string' && code in ERROR_CODES ? (code as ErrorCode) : 'internal';
  return new TroupeError(known, typeof message === 'string' ? message : 'the node gave no reason');
}
