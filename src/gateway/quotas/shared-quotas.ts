// The quotas of users, or of organisations. A quota is there as long as a socket or a document of it is, so the table is no
// larger than the tables of sockets and of open documents.
import { isUnlimited, Quota, type QuotaRates } from './quota.ts';

interface Shared {
  readonly quota: Quota;
  holders: number;
}

export class SharedQuotas {
  readonly #rates: QuotaRates;
  readonly #mostHolders: number;
  readonly #now: () => number;
  readonly #shared = new Map<string, Shared>();
  readonly #isNeedless: boolean;

  /** `mostHolders`: sockets of one user, or documents of one organisation. null: no limit. */
  constructor(rates: QuotaRates, mostHolders: number | null, now: () => number) {
    this.#rates = rates;
    this.#mostHolders = mostHolders ?? Number.POSITIVE_INFINITY;
    this.#now = now;
    this.#isNeedless = mostHolders === null && isUnlimited(rates);
  }

  get size(): number {
    return this.#shared.size;
  }

  /** Undefined if nothing is limited. `full` if there are too many holders. Each quota that is held is released once. */
  hold(name: string): Quota | undefined | 'full' {
    if (this.#isNeedless) return undefined;
    const shared = this.#shared.get(name) ?? { quota: new Quota(this.#rates, this.#now()), holders: 0 };
    if (shared.holders >= this.#mostHolders) return 'full';
    shared.holders++;
    this.#shared.set(name, shared);
    return shared.quota;
  }

  release(name: string): void {
    const shared = this.#shared.get(name);
    if (shared !== undefined && --shared.holders === 0) this.#shared.delete(name);
  }
}
