// The failures that a person can mend, each with a line that tells how. Any other failure is a defect.
import { EmbeddedPostgresError } from '../../actors/storage/embedded-postgres.ts';
import { StartError } from '../../config/fatal.ts';
import { explainPostgres } from '../database/postgres-failure.ts';
import { ListenError } from '../listen-error.ts';

/** The failure as a StartError. Undefined if it is not an expected failure. */
export function explain(error: unknown): StartError | undefined {
  if (error instanceof StartError) return error;
  if (error instanceof EmbeddedPostgresError) return new StartError(firstLine(error), { cause: error });
  if (error instanceof ListenError) return explainSystem(error.cause, error.section);
  return explainSystem(error, 'listen') ?? explainPostgres(error);
}

/** `section`: the section of the keys for the address to listen on. */
function explainSystem(error: unknown, section: ListenError['section']): StartError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const line = SYSTEM[String(error.code)]?.(addressOf(error), section);
  return line === undefined ? undefined : new StartError(line, { cause: error });
}

/** The address of the metrics is one key. */
const portKeyOf = (section: ListenError['section']): string =>
  section === 'metrics' ? 'metrics.listen' : `${section}.port`;
const hostKeyOf = (section: ListenError['section']): string =>
  section === 'metrics' ? 'metrics.listen' : `${section}.host`;

const SYSTEM: Readonly<Record<string, (address: string, section: ListenError['section']) => string>> = {
  EADDRINUSE: (address, section) =>
    `${address} is in use by another program; choose another port with --set ${portKeyOf(section)}=…`,
  EADDRNOTAVAIL: (address, section) => `${address} is no address of this machine; see ${hostKeyOf(section)}`,
  EACCES: (address) => `permission denied for ${address}`,
  ENOTFOUND: (address) => `the name ${address} does not resolve`,
  // The next two concern a directory that cannot be made.
  EEXIST: (path) => `${path} is there, and is no directory`,
  ENOTDIR: (path) => `${path} cannot be a directory: its parent is not one`,
};

function addressOf(error: Error): string {
  const { address, port, hostname, path } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    hostname?: string;
  };
  if (address !== undefined) {
    const host = address.includes(':') ? `[${address}]` : address;
    return port === undefined ? host : `${host}:${port}`;
  }
  return hostname ?? path ?? firstLine(error);
}

const firstLine = (error: Error) => error.message.split('\n')[0] ?? '';
