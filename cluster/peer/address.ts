// Parses the address of a node, host:port as text, as the database and leases hold it.
import type { PeerAddress } from './network.ts';

export function addressOf(address: string): PeerAddress {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
