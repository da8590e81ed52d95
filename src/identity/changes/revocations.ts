// The revocations that a node knows, in memory, so that a check costs no question to the database. It does no I/O.
import type { RightsChange } from '../store.ts';
import type { User } from '../user.ts';

interface Revocation {
  readonly beforeMs: number;
  /** By the clock of this node. */
  readonly until: number;
}

/** After this many changes the ones that concern nobody any more are removed. */
const CLEAN_EVERY = 1_000;

export class Revocations {
  readonly #now: () => number;
  readonly #users = new Map<string, Revocation>();
  /** Tokens and logins, with the time until which they are remembered. */
  readonly #tokens = new Map<string, number>();
  readonly #logins = new Map<string, number>();
  #sinceCleaning = 0;

  /** `now`: ms that never go back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#users.size + this.#tokens.size + this.#logins.size;
  }

  /** Takes a change, also one that it has taken before. */
  take(change: RightsChange, keepMs: number): void {
    const until = this.#now() + keepMs;
    switch (change.kind) {
      case 'user': {
        const before = this.#users.get(change.sub);
        if (before === undefined || before.beforeMs <= change.beforeMs)
          this.#users.set(change.sub, { beforeMs: change.beforeMs, until });
        break;
      }
      case 'token':
        this.#tokens.set(change.tokenId, until);
        break;
      case 'login':
        this.#logins.set(change.login, until);
        break;
      case 'recheck':
        return;
      default:
        throw new Error(`unknown change ${String(change satisfies never)}`);
    }
    if (++this.#sinceCleaning >= CLEAN_EVERY) this.#clean();
  }

  isRevoked({ sub, issuedAt, tokenId, login }: User): boolean {
    const revocation = this.#users.get(sub);
    if (revocation !== undefined && issuedAt < revocation.beforeMs) return true;
    return (
      (tokenId !== undefined && this.#tokens.has(tokenId)) || (login !== undefined && this.#logins.has(login))
    );
  }

  #clean(): void {
    this.#sinceCleaning = 0;
    const now = this.#now();
    for (const [sub, { until }] of this.#users) if (until <= now) this.#users.delete(sub);
    for (const known of [this.#tokens, this.#logins])
      for (const [name, until] of known) if (until <= now) known.delete(name);
  }
}
