// The address and credentials that a node presents to other nodes, from its configuration.
import { readFileSync } from 'node:fs';
import type { PeerCredentials } from '../../cluster/peer/tcp/tcp-context.ts';
import type { Config } from '../../config/schema.ts';

/** The host:port that other nodes dial, for a node that listens on `port`. */
export const advertisedAddress = ({ advertise, link }: Config['cluster'], port: number): string =>
  advertise ?? `${link.host}:${port}`;

/** Reads the files of `cluster.link.tls`. */
export function credentialsOf({ cluster }: Config): PeerCredentials {
  const { cert, key, ca } = cluster.link.tls;
  const tls =
    cert !== null && key !== null && ca !== null
      ? { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8'), ca: readFileSync(ca, 'utf8') }
      : undefined;
  return {
    ...(cluster.secret === null ? {} : { secret: cluster.secret }),
    ...(tls === undefined ? {} : { tls }),
  };
}
