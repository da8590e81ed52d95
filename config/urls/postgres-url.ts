// Parses the URL of a PostgreSQL: its servers, and how to connect to each. Follows libpq for hosts, Unix
// sockets, sslmode and session settings, and refuses parameters that the stores set themselves. Pure. No
// message contains a part of the URL.
import { hostsIn, parseServiceUrl, type ServiceHost, type UrlProblem } from './service-url.ts';

/** One server of a URL. */
export interface PostgresServer {
  /** A name, an address, or the directory of a Unix socket, which begins with a slash. */
  readonly host: string;
  readonly port: number;
  /** Undefined: the user of the operating system, or PGUSER. */
  readonly user: string | undefined;
  /** Undefined: no password, or PGPASSWORD. */
  readonly password: string | undefined;
  /** Undefined: the database with the name of the user. */
  readonly database: string | undefined;
  readonly sslmode: SslMode;
  readonly sslnegotiation: 'postgres' | 'direct';
  /** The initial settings of the session, such as `search_path`. */
  readonly settings: Readonly<Record<string, string>>;
}

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

const DEFAULT_PORT = 5432;

/** Returns at least one server. All have the same user and database. */
export function parsePostgresUrl(url: string): { readonly servers: readonly PostgresServer[] } | UrlProblem {
  const parsed = parseServiceUrl(url, /^postgres(ql)?$/i);
  if ('problem' in parsed) return parsed;
  const { query } = parsed;
  const hosts = hostsOf(parsed.hosts, query);
  if ('problem' in hosts) return hosts;
  if (hosts.length === 0)
    return { problem: 'without a host (a Unix socket is named by ?host=/var/run/postgresql)' };
  const user = query.get('user') ?? parsed.user;
  if (user === '') return { problem: 'without a user name before the password' };
  const database = query.get('dbname') ?? parsed.path;
  if (database.includes('/')) return { problem: 'with a second / in its path (in a name it is written %2F)' };
  const security = securityOf(query);
  if ('problem' in security) return security;
  const settings: Record<string, string> = {};
  for (const [name, value] of query) {
    if (KNOWN.has(name)) continue;
    const instead = REFUSED[name];
    if (instead !== undefined) return { problem: `with ${name}, ${instead}` };
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name))
      return { problem: 'with a parameter that is no setting of PostgreSQL' };
    settings[name] = value;
  }
  const password = query.get('password') ?? parsed.password;
  return {
    servers: hosts.map(({ host, port = DEFAULT_PORT }) => ({
      host,
      port,
      user,
      password,
      database: database === '' ? undefined : database,
      ...security,
      settings,
    })),
  };
}

/** The servers' addresses for people: without user, password and parameters. `url` must be valid. */
export function describePostgresUrl(url: string): string {
  const servers = serversOf(url);
  const places = servers.map(({ host, port }) => {
    const place = host.includes(':') ? `[${host}]` : host;
    return `${place}:${port}`;
  });
  const [{ database } = { database: undefined }] = servers;
  if (database === undefined) return places.join();
  return servers.some(({ host }) => host.startsWith('/'))
    ? `${places.join()}, database ${database}`
    : `${places.join()}/${database}`;
}

/** The servers of a URL that the configuration has accepted. */
export function serversOf(url: string): readonly PostgresServer[] {
  const parsed = parsePostgresUrl(url);
  if ('problem' in parsed) throw new Error(`expected the URL of a PostgreSQL; found one ${parsed.problem}`);
  return parsed.servers;
}

/** Parameters of libpq that are read here. */
const KNOWN = new Set([
  ...['host', 'port', 'user', 'password', 'dbname'],
  ...['sslmode', 'ssl', 'sslrootcert', 'sslnegotiation', 'target_session_attrs'],
]);

const OURS = 'which Troupe sets itself';
const REFUSED: Readonly<Record<string, string>> = {
  application_name: 'by which Troupe finds its connections',
  fallback_application_name: 'by which Troupe finds its connections',
  connect_timeout: 'for which there is storage.connectTimeoutMs',
  statement_timeout: 'for which there is storage.answerTimeoutMs',
  idle_in_transaction_session_timeout: OURS,
  client_encoding: OURS,
  ...Object.fromEntries(
    ['hostaddr', 'passfile', 'service', 'sslcert', 'sslkey', 'sslcrl', 'sslpassword', 'gssencmode'].map(
      (name) => [name, 'which is not supported'],
    ),
  ),
  ...Object.fromEntries(
    ['max', 'max_lifetime', 'max_pipeline', 'idle_timeout', 'backoff', 'keep_alive', 'keepalives']
      .concat(['keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout'])
      .concat(['prepare', 'debug', 'fetch_types', 'publications', 'pgbouncer'])
      .map((name) => [name, OURS]),
  ),
};

function hostsOf(
  inAuthority: readonly ServiceHost[],
  query: ReadonlyMap<string, string>,
): readonly ServiceHost[] | UrlProblem {
  const named = query.get('host');
  const found = named === undefined ? { hosts: inAuthority } : hostsIn(named);
  if ('problem' in found) return found;
  const { hosts } = found;
  const ports = (query.get('port') ?? '').split(',').filter(Boolean);
  if (ports.length === 0) return hosts;
  if (!ports.every((port) => /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535))
    return { problem: 'with a port that is not from 1 to 65535' };
  return hosts.map(({ host, port }, i) => ({ host, port: port ?? Number(ports[i] ?? ports[0]) }));
}

function securityOf(
  query: ReadonlyMap<string, string>,
): Pick<PostgresServer, 'sslmode' | 'sslnegotiation'> | UrlProblem {
  const attributes = query.get('target_session_attrs') ?? 'primary';
  if (attributes !== 'primary' && attributes !== 'read-write')
    return { problem: 'with target_session_attrs (Troupe uses the primary alone)' };
  const root = query.get('sslrootcert');
  if (root !== undefined && root !== 'system')
    return { problem: 'with sslrootcert (authorities are trusted by the variable NODE_EXTRA_CA_CERTS)' };
  const negotiation = query.get('sslnegotiation') ?? 'postgres';
  if (negotiation !== 'postgres' && negotiation !== 'direct')
    return { problem: 'with an sslnegotiation other than postgres and direct' };
  const switched = SWITCHES.get(query.get('ssl') ?? '') ?? query.get('ssl');
  const wanted = query.get('sslmode') ?? switched ?? (root === 'system' ? 'verify-full' : 'disable');
  const sslmode = SSL_MODES.find((mode) => mode === wanted);
  if (sslmode === undefined) return { problem: `with an sslmode other than ${SSL_MODES.join(', ')}` };
  return { sslmode, sslnegotiation: negotiation };
}

/** `ssl` is the driver's own name for `sslmode`. */
const SWITCHES = new Map<string, SslMode>([
  ['true', 'verify-full'],
  ['false', 'disable'],
]);
