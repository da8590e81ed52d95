// The session of this browser at the node: a cookie that no script can read. It is found again when the page is loaded
// anew, and refreshed before it has to be.

/** The answer of `/v1/session`, as far as the page needs it. */
interface Answer {
  readonly csrf: string;
  /** When the cookie has to be refreshed, in ms since 1970. */
  readonly expiresAt: number;
  readonly sub: string;
}

const PATH = '/v1/session';
/** The cookie is refreshed when this share of its time is over. */
const REFRESH_SHARE = 2 / 3;
const SOONEST_MS = 1_000;
const ANSWER_TIMEOUT_MS = 10_000;

export class Session {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #csrf: string | undefined;

  /** The header that a request needs beside the cookie to write. */
  get headers(): Readonly<Record<string, string>> {
    return this.#csrf === undefined ? {} : { 'x-csrf-token': this.#csrf };
  }

  /** Begins a session by a token. Resolves with its user, or with undefined if the node begins none. */
  begin(token: string): Promise<string | undefined> {
    return this.#ask('POST', PATH, { authorization: `Bearer ${token}` });
  }

  /** Finds the session of this browser and refreshes it. Resolves with its user, if there is one. */
  async resume(): Promise<string | undefined> {
    const found = await ask('GET', PATH, {});
    return found === undefined ? undefined : await this.#refresh(found);
  }

  #refresh({ csrf }: Answer): Promise<string | undefined> {
    return this.#ask('POST', `${PATH}/refresh`, { 'x-csrf-token': csrf });
  }

  async #ask(method: string, path: string, headers: Record<string, string>): Promise<string | undefined> {
    const answer = await ask(method, path, headers);
    clearTimeout(this.#timer);
    this.#csrf = answer?.csrf;
    if (answer === undefined) return undefined;
    const inMs = Math.max(SOONEST_MS, (answer.expiresAt - Date.now()) * REFRESH_SHARE);
    this.#timer = setTimeout(() => void this.#refresh(answer), inMs);
    return answer.sub;
  }
}

/** Undefined if the node refuses, or does not answer. */
async function ask(
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<Answer | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const answer = await fetch(path, { method, headers, signal, cache: 'no-store' });
    return answer.ok ? read(await answer.json()) : undefined;
  } catch {
    return undefined;
  }
}

function read(value: unknown): Answer | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('csrf' in value) || !('expiresAt' in value) || !('sub' in value)) return undefined;
  const { csrf, expiresAt, sub } = value;
  return typeof csrf === 'string' && typeof expiresAt === 'number' && typeof sub === 'string'
    ? { csrf, expiresAt, sub }
    : undefined;
}
