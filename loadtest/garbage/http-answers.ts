// Judges the answers of an HTTP server: an error has a code of the catalogue and the status of that code, a success is
// one that this caller may have, and no answer shows anything of the program.
import { ERROR_CODES, type ErrorCode } from '../../protocol/errors.ts';
import type { RawAnswer } from './http-connection.ts';
import type { HttpCaller } from './http-requests.ts';

export interface Asked {
  /** As it was sent: the target may be any text. */
  readonly method: string;
  readonly target: string;
  readonly caller: HttpCaller;
}

/** The status of each code. Source: docs/protocol.md, section Errors. */
const STATUSES: Readonly<Record<number, readonly ErrorCode[]>> = {
  400: ['bad-message', 'bad-name'],
  401: ['unauthenticated'],
  403: ['forbidden'],
  404: ['not-found', 'version-unknown'],
  409: ['exists', 'conflict', 'test-failed', 'wrong-kind', 'seq-used', 'not-open'],
  410: ['version-too-old'],
  412: ['precondition-failed'],
  413: ['too-large'],
  422: ['bad-op'],
  429: ['rate-limited'],
  503: ['overloaded', 'unavailable'],
};
/** Statuses of HTTP itself, whose code is `bad-message`. */
const OF_HTTP: ReadonlySet<number> = new Set([405, 408, 414, 415, 416, 417, 431, 505]);
/** Statuses of a success. */
const SUCCESSES: ReadonlySet<number> = new Set([200, 201, 204, 206, 302, 304]);
const PROGRAM_TEXT = /node_modules|\/dist\/|\n\s+at |\.[jt]s:\d+|FST_|SELECT |PostgresError|ZodError|ECONN/;
/** The description of the API and its page, which everyone may read. */
const OPEN = /^\/v1\/(openapi\.json|reference)/;
/** The files of that page. They and the files of the page at `/` are the only answers that may be stored. */
const FILES = /^\/v1\/reference\/static\//;
/** A letter or digit that is written as `%` and its number. The path is the same without it (RFC 3986, 6.2.2.2). */
const NEEDLESS_ESCAPE = /%(3\d|[46][1-9a-f]|[57][\da])/gi;

/** The reason why the server may not answer this; undefined if it may. */
export function wrongAnswer(answer: RawAnswer, asked: Asked): string | undefined {
  const { status, headers } = answer;
  const path = pathOf(asked);
  // Also an error of another path: a request of broken bytes may be for any.
  const mayBeStored = status < 400 && (!path.startsWith('/v1/') || FILES.test(path));
  if (!mayBeStored && headers.get('cache-control') !== 'no-store')
    return `${status} without cache-control: no-store`;
  if (status < 400) return wrongSuccess(answer, asked);
  return asked.method === 'HEAD' ? wrongStatus(status) : wrongError(answer);
}

const pathOf = ({ target }: Pick<Asked, 'target'>): string =>
  (target.split('?', 1)[0] ?? '').replace(NEEDLESS_ESCAPE, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );

const wrongStatus = (status: number): string | undefined =>
  STATUSES[status] === undefined && !OF_HTTP.has(status) ? `status ${status}` : undefined;

function wrongError({ status, headers, body }: RawAnswer): string | undefined {
  const text = body.toString();
  const shown = `${status} ${text.slice(0, 300)}`;
  const error = errorIn(text);
  if (error === undefined) return `no error of the contract: ${shown}`;
  const { code, message, retryable } = error;
  if (!Object.hasOwn(ERROR_CODES, code) || code === 'internal') return `a code that may not be: ${shown}`;
  if (ERROR_CODES[code] !== retryable) return `wrong about coming again: ${shown}`;
  const isOfCode = STATUSES[status]?.includes(code) === true;
  if (!isOfCode && !(OF_HTTP.has(status) && code === 'bad-message')) return `another status: ${shown}`;
  if (PROGRAM_TEXT.test(message)) return `text of the program: ${shown}`;
  if (retryable && [429, 503].includes(status) && !/^[1-9]\d*$/.test(headers.get('retry-after') ?? ''))
    return `no retry-after: ${shown}`;
  if (status === 405 && !headers.has('allow')) return `no allow: ${shown}`;
  if (status === 401 && !headers.has('www-authenticate')) return `no www-authenticate: ${shown}`;
  return undefined;
}

function errorIn(
  text: string,
): { readonly code: ErrorCode; readonly message: string; readonly retryable: boolean } | undefined {
  try {
    const error: unknown = JSON.parse(text);
    if (typeof error !== 'object' || error === null || Object.keys(error).length !== 3) return undefined;
    const { code, message, retryable } = Object.assign({ code: 0, message: 0, retryable: 0 }, error);
    if (typeof code !== 'string' || typeof message !== 'string' || typeof retryable !== 'boolean')
      return undefined;
    return { code: code as ErrorCode, message, retryable };
  } catch {
    return undefined;
  }
}

function wrongSuccess({ status, headers, body }: RawAnswer, asked: Asked): string | undefined {
  const shown = `${status} ${body.toString('utf8', 0, 300)}`;
  if (!SUCCESSES.has(status)) return `an unusual status: ${shown}`;
  if (!mayPass(asked)) return `a success without the right to it: ${shown}`;
  const isJson = headers.get('content-type')?.startsWith('application/json') === true;
  if (!isJson || body.length === 0) return undefined;
  try {
    const value: unknown = JSON.parse(body.toString());
    if (!isObject(value)) return `a success that is no object: ${shown}`;
    // A user without a right in the organisation sees an empty list.
    if (asked.caller === 'foreign' && Array.isArray(value.docs) && value.docs.length > 0)
      return `documents of others: ${shown}`;
  } catch {
    return `a success that is no JSON: ${shown}`;
  }
  return undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Whether this caller may succeed there. Paths outside the API are open, and OPTIONS tells only what browsers may send. */
function mayPass({ method, target, caller }: Asked): boolean {
  const path = pathOf({ target });
  if (!path.startsWith('/v1') || OPEN.test(path) || method === 'OPTIONS') return true;
  if (/^\/v1\/(revocations|recheck)/.test(path)) return caller === 'admin' || caller === 'anyone';
  const isOfDocument = /^\/v1\/(docs|events)\/[^/]+\/[^/]/.test(path);
  switch (caller) {
    case 'anyone':
    case 'valid':
      return true;
    case 'cookie':
      return path.startsWith('/v1/session') || READING.has(method);
    case 'none':
    case 'invalid':
      return false;
    case 'viewer':
      return READING.has(method) || path.startsWith('/v1/session');
    case 'foreign':
    case 'admin':
      return !isOfDocument;
    default:
      throw new Error(`unknown caller ${String(caller satisfies never)}`);
  }
}
