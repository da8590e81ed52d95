// The sockets of each address of clients, and how fast an address makes new ones. Behind proxies that are trusted, the
// address is the one that they tell. Of IPv6 the first 64 bits count, because one client may use all addresses that begin so.
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';

export interface AddressLimits {
  /** Sockets of one address. null: no limit. */
  readonly sockets: number | null;
  readonly upgradesPerSecond: number | null;
}

interface Known {
  sockets: number;
  tokens: number;
  refilled: number;
}

/** Addresses without a socket that are remembered. Past it the one that was seen longest ago is forgotten. */
const MOST_IDLE = 10_000;
const SECOND = 1_000;

export class Addresses {
  readonly #sockets: number;
  readonly #perSecond: number;
  readonly #now: () => number;
  readonly #isTrusted: (address: string, hop: number) => boolean;
  readonly #isNeedless: boolean;
  readonly #active = new Map<string, Known>();
  readonly #idle = new Map<string, Known>();

  /** `trustedProxies`: addresses and networks. */
  constructor(limits: AddressLimits, trustedProxies: readonly string[], now: () => number) {
    this.#sockets = limits.sockets ?? Number.POSITIVE_INFINITY;
    this.#perSecond = limits.upgradesPerSecond ?? Number.POSITIVE_INFINITY;
    this.#isNeedless = limits.sockets === null && limits.upgradesPerSecond === null;
    this.#isTrusted = proxyAddr.compile([...trustedProxies]);
    this.#now = now;
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.#active.size + this.#idle.size;
  }

  /** The address of a client, as it counts here. Undefined if no address is limited. */
  of(request: IncomingMessage): string | undefined {
    return this.#isNeedless ? undefined : network(proxyAddr(request, this.#isTrusted));
  }

  /** 0 if the address may have one more socket now. Otherwise the ms after which it may try again. */
  takeUpgrade(address: string): number {
    const known = this.#known(address);
    const now = this.#now();
    const seconds = (now - known.refilled) / SECOND;
    if (seconds > 0) {
      known.tokens = Math.min(this.#perSecond, known.tokens + seconds * this.#perSecond);
      known.refilled = now;
    }
    if (known.sockets >= this.#sockets) return SECOND;
    if (known.tokens < 1) return Math.ceil(((1 - known.tokens) * SECOND) / this.#perSecond);
    known.tokens--;
    return 0;
  }

  connected(address: string): void {
    const known = this.#known(address);
    known.sockets++;
    this.#idle.delete(address);
    this.#active.set(address, known);
  }

  disconnected(address: string): void {
    const known = this.#active.get(address);
    if (known === undefined || --known.sockets > 0) return;
    this.#active.delete(address);
    this.#remember(address, known);
  }

  #known(address: string): Known {
    const active = this.#active.get(address);
    if (active !== undefined) return active;
    const idle = this.#idle.get(address);
    const known = idle ?? { sockets: 0, tokens: this.#perSecond, refilled: this.#now() };
    this.#idle.delete(address);
    this.#remember(address, known);
    return known;
  }

  #remember(address: string, known: Known): void {
    this.#idle.set(address, known);
    const [oldest] = this.#idle.keys();
    if (this.#idle.size > MOST_IDLE && oldest !== undefined) this.#idle.delete(oldest);
  }
}

/** An address of IPv4 as it is, and the first 64 bits of one of IPv6. */
function network(address: string): string {
  const [, v4] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (v4 !== undefined) return v4;
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return address;
  const [before = '', after] = plain.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  const parts = [...head, ...Array<string>(Math.max(0, zeros)).fill('0'), ...tail];
  return `${parts
    .slice(0, 4)
    .map((part) => Number.parseInt(part, 16).toString(16))
    .join(':')}::/64`;
}
