// Row locks on sessions in the memory store. A writer holds them shared. A fence waits for them, and may
// end writers that hold them too long. Knows no statements.
import type { SessionId } from '../../../actors/storage/store.ts';

export interface Hold {
  /** The backend was ended, so its uncommitted work is rolled back. */
  readonly isEnded: boolean;
  readonly ended: Promise<void>;
  release(): void;
}

export class SessionLocks {
  readonly #held = new Set<{ readonly ids: readonly SessionId[]; end(): void }>();
  readonly #waiting: { readonly ids: ReadonlySet<SessionId>; wake(): void }[] = [];

  hold(ids: readonly SessionId[]): Hold {
    let isEnded = false;
    let tell = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const entry = {
      ids,
      end: (): void => {
        isEnded = true;
        this.#release(entry);
        tell();
      },
    };
    this.#held.add(entry);
    return {
      get isEnded() {
        return isEnded;
      },
      ended,
      release: () => this.#release(entry),
    };
  }

  isFree(ids: Iterable<SessionId>): boolean {
    const wanted = new Set(ids);
    return ![...this.#held].some((held) => held.ids.some((id) => wanted.has(id)));
  }

  whenFree(ids: readonly SessionId[]): Promise<void> {
    if (this.isFree(ids)) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ ids: new Set(ids), wake }));
  }

  /** Ends the holders of any of these locks. Without `ids` it ends all holders. */
  end(ids?: readonly SessionId[]): void {
    const victims = ids && new Set(ids);
    for (const held of [...this.#held]) {
      if (!victims || held.ids.some((id) => victims.has(id))) held.end();
    }
  }

  #release(entry: { readonly ids: readonly SessionId[]; end(): void }): void {
    if (!this.#held.delete(entry)) return;
    for (const waiting of [...this.#waiting]) {
      if (!this.isFree(waiting.ids)) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.wake();
    }
  }
}
