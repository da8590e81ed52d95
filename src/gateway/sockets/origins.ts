// Decides which web pages may use this node. A browser names the page in `Origin`, and in `Host` the name
// under which it found the node. A program that is no browser sends no `Origin`, and this class does not
// refuse it for that. X-Forwarded-* headers are not read: behind a proxy that changes `Host`,
// listen.publicUrl is the name that browsers know.
import { isLoopback } from '../../../config/check.ts';

export interface OriginsOptions {
  /** `listen.origins`: origins of pages that may use this node beside its own. */
  readonly origins: readonly string[];
  /** `listen.publicUrl`: the URL at which browsers find the node, if it is known. */
  readonly publicUrl: string | null;
  /**
   * With `none` every client is an owner, so `Host` must be a name that no other party can point at this
   * node.
   */
  readonly auth: 'none' | 'jwt';
}

export interface RequestNames {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
}

/** Host and port in the form of URL, with the port always set. */
interface Place {
  readonly host: string;
  readonly port: string;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = {
  'http:': '80',
  'ws:': '80',
  'https:': '443',
  'wss:': '443',
};

export class Origins {
  readonly #allowed: ReadonlySet<string>;
  readonly #published: string | undefined;
  readonly #publishedHost: string | undefined;
  readonly #isOpen: boolean;

  constructor({ origins, publicUrl, auth }: OriginsOptions) {
    this.#allowed = new Set(origins.map((origin) => normal(origin) ?? origin.toLowerCase()));
    const url = publicUrl === null ? undefined : new URL(publicUrl.replace(/^ws/i, 'http'));
    this.#published = url?.origin;
    this.#publishedHost = url && bare(url.hostname);
    this.#isOpen = auth === 'none';
  }

  /** The reason to refuse a request. Undefined if it may go on. */
  refusal({ origin, host }: RequestNames): string | undefined {
    const refused = this.#refusedHost(host);
    if (refused !== undefined || origin === undefined) return refused;
    return this.#isTaken(origin, host)
      ? undefined
      : `pages of ${shown(origin)} may not talk to this node: listen.origins names those that may`;
  }

  /**
   * For requests that reveal nothing of documents, such as the probes of an orchestrator. Any `Host` will do.
   */
  refusalOfProbe({ origin, host }: RequestNames): string | undefined {
    return origin === undefined ? undefined : this.refusal({ origin, host });
  }

  #refusedHost(host: string | undefined): string | undefined {
    // HTTP/1.0 has no `Host`. Every browser sends it.
    if (!this.#isOpen || host === undefined) return undefined;
    const place = placeOf(host);
    if (place !== undefined && (isLoopbackName(place.host) || place.host === this.#publishedHost))
      return undefined;
    return `this node is not found under ${shown(host)}: with auth.mode none only under a loopback name or listen.publicUrl`;
  }

  #isTaken(origin: string, host: string | undefined): boolean {
    const page = normal(origin);
    if (page === undefined) return this.#allowed.has(origin.toLowerCase());
    if (page === this.#published || this.#allowed.has(page)) return true;
    const own = host === undefined ? undefined : placeOf(host, page);
    const { hostname, port, protocol } = new URL(page);
    const from: Place = { host: bare(hostname), port: port || (DEFAULT_PORTS[protocol] ?? '') };
    if (own === undefined || from.port !== own.port) return false;
    // All loopback names with the same port lead to the same node.
    return from.host === own.host || (isLoopbackName(from.host) && isLoopbackName(own.host));
  }
}

/** The origin as browsers write it. Undefined if it is not the origin of a web page. */
function normal(origin: string): string | undefined {
  if (!/^https?:\/\/[^\s/?#@\\,]+$/i.test(origin) || !URL.canParse(origin)) return undefined;
  const url = new URL(origin);
  const host = bare(url.hostname);
  return host === '' ? undefined : `${url.protocol}//${host}${url.port === '' ? '' : `:${url.port}`}`;
}

/** The place of a `Host` header, with the scheme that the page was loaded over. */
function placeOf(host: string, page = 'http://'): Place | undefined {
  const scheme = page.slice(0, page.indexOf('//') + 2);
  const url = `${scheme}${host}`;
  if (!/^[^\s/?#@\\,]+$/.test(host) || !URL.canParse(url)) return undefined;
  const { hostname, port, protocol } = new URL(url);
  return { host: bare(hostname), port: port || (DEFAULT_PORTS[protocol] ?? '') };
}

/** `localhost.` is `localhost`. */
const bare = (hostname: string): string => hostname.replace(/\.$/, '');

const isLoopbackName = (host: string): boolean => isLoopback(host.replace(/^\[|\]$/g, ''));

/** The part of a client's text that a person may want to read in an answer. */
const shown = (text: string): string => JSON.stringify(text.slice(0, 100));
