// Makes changes of rights, at the request of an administrator: it writes them down for all nodes, and has them told. This
// node applies them before the administrator has an answer, and the other nodes when they read them (rights-news.ts).
import type { IdentityStore, RightsChange, StoredChange } from '../store.ts';
import { TOLD_FOR_MS } from '../store.ts';

export interface RightsChangesOptions {
  readonly store: Pick<IdentityStore, 'addChange'>;
  /** How long a revocation has to be remembered: as long as a token or a login may live. */
  readonly keepMs: number;
  /** Revocations that are remembered now. */
  readonly known: () => number;
  /** ms since 1970. */
  readonly time: () => number;
  /** Applies the change at this node, and has the other nodes told. */
  readonly onAdded: (added: StoredChange) => void;
}

/** Revocations that are remembered. Past it further ones are `overloaded`. */
const MOST_REVOCATIONS = 1_000_000;

export class RightsChanges {
  readonly #options: RightsChangesOptions;

  constructor(options: RightsChangesOptions) {
    this.#options = options;
  }

  /**
   * False if too many are remembered already. A revocation of a time in the future is remembered for that much longer.
   * Rejects with StoreUnavailable if the database is out of reach; whether the change was made is then unknown.
   */
  async add(change: RightsChange): Promise<boolean> {
    const { store, keepMs, known, time, onAdded } = this.#options;
    if (change.kind !== 'recheck' && known() >= MOST_REVOCATIONS) return false;
    const ahead = change.kind === 'user' ? Math.max(0, change.beforeMs - time()) : 0;
    onAdded(await store.addChange(change, change.kind === 'recheck' ? TOLD_FOR_MS : keepMs + ahead));
    return true;
  }
}
