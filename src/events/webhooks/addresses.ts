// Which addresses a request to a receiver may go to. An address that is not public could be a service of this machine or
// of its network that trusts requests from here. The name is looked up once, and the connection goes to the address that was
// checked: a second answer of the name server cannot change it.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Finds the addresses of a host name. */
export type Resolve = (host: string) => Promise<readonly Address[]>;

export const systemResolve: Resolve = async (host) => {
  const found = await lookup(host, { all: true, verbatim: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
};

/** The host has an address that is not public, or none. */
export class RefusedAddress extends Error {
  override name = 'RefusedAddress';
}

/** The address to connect to. Rejects with RefusedAddress if one of the host's addresses is not public. */
export async function addressOf(host: string, resolve: Resolve, allowPrivate: boolean): Promise<Address> {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(bare);
  const found =
    version === 0 ? await resolve(bare) : [{ address: bare, family: version === 6 ? 6 : 4 } as const];
  const [first] = found;
  if (first === undefined) throw new RefusedAddress(`${host} has no address`);
  if (!allowPrivate && !found.every(({ address }) => isPublic(address)))
    throw new RefusedAddress(`${host} has an address that is not public: see webhooks.allowPrivate`);
  return first;
}

/**
 * An IPv4 address inside an IPv6 address counts as that IPv4 address. Other forms that carry an address in them, such as
 * NAT64 and 6to4, are not public.
 */
export const isPublic = (address: string): boolean =>
  ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
