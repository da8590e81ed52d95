// The quotas of users, or of organisations. A quota is there as long as a socket or a document of it is, and then until it is
// full again: otherwise sockets that come and go, or requests without a socket, would have a new quota each time. So
// the table is as large as the tables of sockets and of open documents, and as the names of about the last second.
import { isUnlimited, Quota, type QuotaRates } from './quota.ts';

interface Shared {
  readonly quota: Quota;
  holders: number;
}

const LOOKS = 2;

export class SharedQuotas {
  readonly #rates: QuotaRates;
  readonly #mostHolders: number;
  readonly #now: () => number;
  readonly #shared = new Map<string, Shared>();
  /** Quotas that nobody holds, the one that was looked at last at the end. */
  readonly #idle = new Map<string, Quota>();
  readonly #isNeedless: boolean;

  /** `mostHolders`: sockets of one user, or documents of one organisation. null: no limit. */
  constructor(rates: QuotaRates, mostHolders: number | null, now: () => number) {
    this.#rates = rates;
    this.#mostHolders = mostHolders ?? Number.POSITIVE_INFINITY;
    this.#now = now;
    this.#isNeedless = mostHolders === null && isUnlimited(rates);
  }

  /** Quotas in memory. */
  get size(): number {
    return this.#shared.size + this.#idle.size;
  }

  /** For something that holds no quota. `take` is called with the quota, and its answer is returned; 0 if nothing is limited. */
  once(name: string, take: (quota: Quota) => number): number {
    if (this.#isNeedless) return 0;
    this.#forgetFull();
    const shared = this.#shared.get(name)?.quota;
    const quota = shared ?? this.#idle.get(name) ?? new Quota(this.#rates, this.#now());
    if (shared === undefined) this.#idle.set(name, quota);
    return take(quota);
  }

  /** Undefined if nothing is limited. `full` if there are too many holders. Each quota that is held is released once. */
  hold(name: string): Quota | undefined | 'full' {
    if (this.#isNeedless) return undefined;
    const shared = this.#shared.get(name) ?? { quota: this.#taken(name), holders: 0 };
    if (shared.holders >= this.#mostHolders) return 'full';
    shared.holders++;
    this.#shared.set(name, shared);
    return shared.quota;
  }

  release(name: string): void {
    const shared = this.#shared.get(name);
    if (shared === undefined || --shared.holders > 0) return;
    this.#shared.delete(name);
    this.#idle.set(name, shared.quota);
    this.#forgetFull();
  }

  #taken(name: string): Quota {
    const quota = this.#idle.get(name);
    this.#idle.delete(name);
    return quota ?? new Quota(this.#rates, this.#now());
  }

  /** Looks at more quotas than one call adds, so that all full ones go in the end. */
  #forgetFull(): void {
    const now = this.#now();
    let looks = 0;
    for (const [name, quota] of this.#idle) {
      this.#idle.delete(name);
      if (!quota.isFull(now)) this.#idle.set(name, quota);
      if (++looks === LOOKS) break;
    }
  }
}
