// Where a node is, as the database and leases have it: host:port as text.
import type { PeerAddress } from './network.ts';

export function addressOf(address: string): PeerAddress {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
