// Splits the URL of a service, scheme://user:password@host:port,host:port/path?name=value, into its decoded
// parts. It is stricter than a URL parser: an unescaped special character would otherwise move a part of the
// password into the host or the path, and from there into error messages. Pure. No message contains any part
// of the URL.

/**
 * `port` undefined: the default port of the service. `host` is decoded, and an IPv6 address has no brackets.
 */
export interface ServiceHost {
  readonly host: string;
  readonly port: number | undefined;
}

export interface ServiceUrl {
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Empty if the URL names no host. */
  readonly hosts: readonly ServiceHost[];
  /** Without the leading slash; '' if there is none. */
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
}

/** Completes the sentence "found a URL …". */
export interface UrlProblem {
  readonly problem: string;
}

export function parseServiceUrl(url: string, scheme: RegExp): ServiceUrl | UrlProblem {
  const [whole, before = '', authority = '', path = '', query] = PARTS.exec(url) ?? [];
  if (whole === undefined || !scheme.test(before)) return { problem: 'of another scheme' };
  if (/[\s\p{Cc}]/u.test(url)) return { problem: 'with white space in it (a space is written %20)' };
  if (url.includes('#'))
    return { problem: 'with a # in it (a # in a user name or a password is written %23)' };
  if (`${path}?${query ?? ''}`.includes('@'))
    return { problem: 'with an @ behind a / or ? (in a user name or a password / is written %2F and ? %3F)' };
  const at = authority.lastIndexOf('@');
  if (authority.indexOf('@') !== at)
    return { problem: 'with more than one @ (in a user name or a password it is written %40)' };
  const credentials = at < 0 ? undefined : authority.slice(0, at);
  const colon = credentials?.indexOf(':') ?? -1;
  const parts = {
    user: colon < 0 ? credentials : credentials?.slice(0, colon),
    password: colon < 0 ? undefined : credentials?.slice(colon + 1),
  };
  try {
    const hosts = hostsIn(authority.slice(at + 1));
    if ('problem' in hosts) return hosts;
    return {
      user: decode(parts.user),
      password: decode(parts.password),
      hosts: hosts.hosts,
      path: decodeURIComponent(path),
      query: queryIn(query),
    };
  } catch (error) {
    // decodeURIComponent throws a URIError.
    if (!(error instanceof URIError)) throw error;
    return { problem: 'with a % that begins no character (a % itself is written %25)' };
  }
}

/** Parses hosts that are separated by commas, each with or without a port. */
export function hostsIn(text: string): { readonly hosts: readonly ServiceHost[] } | UrlProblem {
  if (text === '') return { hosts: [] };
  const hosts: ServiceHost[] = [];
  for (const each of text.split(',')) {
    const [whole, ipv6, name = '', digits] = HOST.exec(each) ?? [];
    const host = ipv6 ?? decodeURIComponent(name);
    const isHost = ipv6 !== undefined || host.startsWith('/') || NAME.test(host);
    const port = digits === undefined ? undefined : Number(digits);
    if (whole === undefined || !isHost || (port !== undefined && (port < 1 || port > MAX_PORT)))
      return {
        problem: 'whose part behind the @ is not host or host:port (several are separated by commas)',
      };
    hosts.push({ host, port });
  }
  return { hosts };
}

function queryIn(query: string | undefined): ReadonlyMap<string, string> {
  const pairs = (query ?? '').split('&').filter(Boolean);
  return new Map(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
      return [decodeURIComponent(name), decodeURIComponent(value)];
    }),
  );
}

const decode = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : decodeURIComponent(text);

const PARTS = /^([a-z][a-z0-9+.-]*):\/\/([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/is;
const HOST = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/;
const NAME = /^[\p{L}\p{N}_.-]+$/u;
const MAX_PORT = 65_535;
