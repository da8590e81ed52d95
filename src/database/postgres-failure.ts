// The failures of PostgreSQL at a start: which of them pass by themselves, and how an operator can mend the
// others.
import { codeOf, messageOf } from '../../actors/storage/postgres/connection/errors.ts';
import { StoreUnavailable } from '../../actors/storage/store.ts';
import { StartError } from '../../config/fatal.ts';

/** Classes of codes for a server that starts, stops, fails over, or lacks resources. */
const PASSING = /^(08|40|53|55|57|58)/;

/** True if another attempt may succeed without a change by a person. */
export function mayPass(error: unknown): boolean {
  if (error instanceof StartError || isTrust(error)) return false;
  const refusal = refusalIn(error);
  return refusal === undefined || PASSING.test(refusal.code);
}

/** The failure as a line for the operator. Undefined if it is not a failure of PostgreSQL. */
export function explainPostgres(error: unknown): StartError | undefined {
  if (error instanceof StartError) return error;
  const refusal = refusalIn(error);
  if (refusal !== undefined && !PASSING.test(refusal.code))
    return new StartError(refusalLine(refusal), { cause: error });
  if (isTrust(error))
    return new StartError(
      `the certificate of PostgreSQL is not trusted: ${messageOf(error)}. Authorities are trusted by the variable NODE_EXTRA_CA_CERTS`,
      { cause: error },
    );
  if (error instanceof StoreUnavailable || isConnection(error))
    return new StartError(`cannot reach PostgreSQL: ${firstLine(messageOf(error))}`, { cause: error });
  return undefined;
}

interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** The answer of PostgreSQL itself. Its errors have a severity, and a code of five characters. */
function refusalIn(error: unknown): Refusal | undefined {
  if (error instanceof StoreUnavailable) return refusalIn(error.cause);
  const code = codeOf(error);
  if (!(error instanceof Error) || code === undefined || !('severity' in error)) return undefined;
  return { code, message: firstLine(error.message) };
}

function refusalLine({ code, message }: Refusal): string {
  if (code.startsWith('28')) return `PostgreSQL refuses the user or the password of storage.url: ${message}`;
  if (code === '3D000') return `PostgreSQL has no such database: ${message}. Create it, or see storage.url`;
  if (code === '3F000')
    return `PostgreSQL has no schema that the role of storage.url may use: ${message}. Create it, or run as its owner: GRANT USAGE, CREATE ON SCHEMA public TO that role (or the schema that search_path names); ${SEE}`;
  if (code === '42501') return `a right is missing in PostgreSQL: ${message}. ${remedy(message)}`;
  return `PostgreSQL refuses: ${message} (${code})`;
}

const SEE = 'docs/operations.md lists all rights';

function remedy(message: string): string {
  const [, kind = '', name = ''] = /permission denied for (\w+) (\S+)/.exec(message) ?? [];
  const grant = GRANTS[kind]?.(name.replace(/^"|"$/g, ''));
  if (grant !== undefined) return `Run as its owner: ${grant} TO the role of storage.url; ${SEE}`;
  if (message.includes('terminate')) return `Run: GRANT pg_signal_backend TO the role of storage.url; ${SEE}`;
  if (message.includes('must be owner'))
    return `Run troupe migrate with the role that owns the tables, and the nodes with storage.migrate=false; ${SEE}`;
  return SEE;
}

const RIGHTS_OF_TABLES = 'SELECT, INSERT, UPDATE, DELETE';
const GRANTS: Readonly<Record<string, (name: string) => string>> = {
  table: (name) => `GRANT ${RIGHTS_OF_TABLES} ON ${name}`,
  view: (name) => `GRANT SELECT ON ${name}`,
  sequence: (name) => `GRANT USAGE, SELECT, UPDATE ON SEQUENCE ${name}`,
  function: (name) => `GRANT EXECUTE ON FUNCTION ${name}`,
  schema: (name) => `GRANT USAGE, CREATE ON SCHEMA ${name}`,
  database: (name) => `GRANT CONNECT ON DATABASE ${name}`,
};

/** True for a TLS failure in which the certificate of the other end is not trusted. */
const isTrust = (error: unknown): boolean => {
  const code = codeOf(error instanceof StoreUnavailable ? error.cause : error) ?? '';
  return /CERT|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH/.test(code);
};

const isConnection = (error: unknown): boolean =>
  /^(CONNECT|ECONN|ETIMEDOUT|EPIPE|EHOST|ENET|EAI_)/.test(codeOf(error) ?? '') ||
  (error instanceof Error &&
    'syscall' in error &&
    /^(connect|getaddrinfo|read)$/.test(String(error.syscall)));

const firstLine = (text: string): string => text.split('\n')[0] ?? '';
