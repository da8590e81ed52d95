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
/** Time between two questions while the node does not answer. */
const AGAIN_MS = 5_000;
const ANSWER_TIMEOUT_MS = 10_000;

/** Kept in the browser's storage while it has a session, so that a page at a node without sessions asks for none. */
const NOTE = 'troupe.session';

export class Session {
  readonly #storage: Storage | undefined;
  #resuming: Promise<string | undefined> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #csrf: string | undefined;

  constructor(storage: Storage | undefined) {
    this.#storage = storage;
  }

  /** True if this browser had a session when a page of this node was last open in it. */
  get isNoted(): boolean {
    try {
      return this.#storage?.getItem(NOTE) === 'begun';
    } catch {
      return false;
    }
  }

  /** True if the session has been found since the page was loaded. */
  get isKnown(): boolean {
    return this.#csrf !== undefined;
  }

  /** The header that a request needs beside the cookie to write. */
  get headers(): Readonly<Record<string, string>> {
    return this.#csrf === undefined ? {} : { 'x-csrf-token': this.#csrf };
  }

  /** Begins a session by a token. Resolves with its user, or with undefined if the node begins none. */
  begin(token: string): Promise<string | undefined> {
    return this.#ask('POST', PATH, { authorization: `Bearer ${token}` });
  }

  /** Finds the session of this browser and refreshes it. Resolves with its user, if there is one. */
  resume(): Promise<string | undefined> {
    this.#resuming ??= this.#find().finally(() => {
      this.#resuming = undefined;
    });
    return this.#resuming;
  }

  /** Ends the session, in all windows of this browser. */
  async end(): Promise<void> {
    if (this.#csrf === undefined) return;
    const headers = this.headers;
    this.#took('refused');
    await fetch(PATH, { method: 'DELETE', headers, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  }

  async #find(): Promise<string | undefined> {
    const found = await ask('GET', PATH, {});
    return typeof found === 'object' ? await this.#refresh(found) : this.#took(found);
  }

  #refresh({ csrf }: Answer): Promise<string | undefined> {
    return this.#ask('POST', `${PATH}/refresh`, { 'x-csrf-token': csrf });
  }

  async #ask(method: string, path: string, headers: Record<string, string>): Promise<string | undefined> {
    return this.#took(await ask(method, path, headers));
  }

  #took(answer: Answer | 'refused' | 'away'): string | undefined {
    clearTimeout(this.#timer);
    if (answer === 'away') {
      // Whether there is a session is not known.
      if (this.isNoted) this.#timer = setTimeout(() => void this.resume(), AGAIN_MS);
      return undefined;
    }
    const isThere = answer !== 'refused';
    this.#csrf = isThere ? answer.csrf : undefined;
    this.#note(isThere);
    if (!isThere) return undefined;
    const inMs = Math.max(SOONEST_MS, (answer.expiresAt - Date.now()) * REFRESH_SHARE);
    this.#timer = setTimeout(() => void this.#refresh(answer), inMs);
    return answer.sub;
  }

  #note(isThere: boolean): void {
    try {
      if (isThere) this.#storage?.setItem(NOTE, 'begun');
      else this.#storage?.removeItem(NOTE);
    } catch {
      // With a full or forbidden storage a page that is loaded anew asks its person again once the cookie is too old.
    }
  }
}

async function ask(
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<Answer | 'refused' | 'away'> {
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const answer = await fetch(path, { method, headers, signal, cache: 'no-store' });
    if (answer.status >= 500 || answer.status === 429) return 'away';
    return (answer.ok ? read(await answer.json()) : undefined) ?? 'refused';
  } catch {
    return 'away';
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
