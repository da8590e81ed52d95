// Presence of one document: the latest state of each client, the changes that readers have not been told,
// and the changes that a reader has missed while it was being caught up. It knows no links and sends
// nothing.

/**
 * Most changes told at once. Each moving client is told of all others, so the cost is the square of this
 * number.
 */
const PRESENCES_PER_TICK = 64;
/**
 * Most clients remembered as gone while a reader is being caught up. Beyond that number the oldest is
 * forgotten, and a reader that may have been shown it must open afresh.
 */
export const GONE_KEPT = 4096;

/** A client and its state as JSON text. Null if the client is gone. */
export type PresenceChange = readonly [client: string, data: string | null];

/** The point from which a reader has missed changes, as numbers of changes. */
interface Behind {
  /** The reader has missed states that were set after this change. */
  readonly states: number;
  /** A client that left after this change may have been shown to this reader. */
  readonly gone: number;
}

const NOTHING: readonly PresenceChange[] = [];

export class Presence {
  readonly #maxSize: number;
  readonly #current = new Map<string, string>();
  #size = 0;
  readonly #untold = new Set<string>();
  /** Number of changes so far. Each state keeps the number of the change that set it. */
  #changes = 0;
  readonly #changedAt = new Map<string, number>();
  /** Readers that are not told of changes yet. */
  readonly #behind = new Map<string, Behind>();
  /** Clients that are gone, oldest first. Kept only while a reader is behind. */
  readonly #gone = new Map<string, number>();
  /** The latest change among the forgotten clients. */
  #forgotten = 0;

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  /** JSON text by client. */
  get states(): ReadonlyMap<string, string> {
    return this.#current;
  }

  get hasUntold(): boolean {
    return this.#untold.size > 0;
  }

  /**
   * Sets a client's state, as a best effort: beyond its share of a frame a document takes no more presence,
   * because `opened` carries all of it.
   */
  set(client: string, data: string | null): void {
    const before = this.#current.get(client)?.length ?? 0;
    const size = this.#size + (data?.length ?? 0) - before;
    if (data !== null && size > this.#maxSize) return;
    this.#size = size;
    this.#changes++;
    this.#untold.add(client);
    this.#gone.delete(client);
    if (data !== null) {
      this.#current.set(client, data);
      this.#changedAt.set(client, this.#changes);
      return;
    }
    this.#current.delete(client);
    this.#changedAt.delete(client);
    if (this.#behind.size > 0) this.#remember(client);
  }

  /** Changes to tell, as many as one tick takes: client, JSON text or null, client, … */
  takeUntold(): (string | null)[] {
    const states: (string | null)[] = [];
    for (const client of this.#untold) {
      if (states.length >= 2 * PRESENCES_PER_TICK) break;
      states.push(client, this.#current.get(client) ?? null);
      this.#untold.delete(client);
    }
    return states;
  }

  /**
   * Notes that the reader has been shown all current states. It is not told of changes until it has caught
   * up.
   */
  shown(reader: string): void {
    this.#behind.set(reader, { states: this.#changes, gone: this.#changes });
  }

  /** Notes that the reader has the states of another owner and none of the states here. */
  unknownTo(reader: string): void {
    this.#behind.set(reader, { states: 0, gone: this.#changes });
  }

  /**
   * Lets the reader be told of changes from now on. Returns the changes that it has missed, or undefined if
   * they are no longer known.
   */
  caughtUp(reader: string): readonly PresenceChange[] | undefined {
    const from = this.#behind.get(reader);
    if (from === undefined) return NOTHING;
    const missed = this.#missed(reader, from);
    this.forget(reader);
    return missed;
  }

  /** Call it when the reader has left or starts afresh. */
  forget(reader: string): void {
    if (!this.#behind.delete(reader) || this.#behind.size > 0) return;
    this.#gone.clear();
    this.#forgotten = 0;
  }

  clear(): void {
    this.#current.clear();
    this.#changedAt.clear();
    this.#size = 0;
    this.#untold.clear();
    this.#behind.clear();
    this.#gone.clear();
    this.#forgotten = 0;
  }

  #missed(reader: string, from: Behind): readonly PresenceChange[] | undefined {
    if (from.gone < this.#forgotten) return undefined;
    if (from.states === this.#changes) return NOTHING;
    const missed: PresenceChange[] = [];
    for (const [client, change] of this.#gone) {
      if (change > from.gone && client !== reader) missed.push([client, null]);
    }
    for (const [client, data] of this.#current) {
      if ((this.#changedAt.get(client) ?? 0) > from.states && client !== reader) missed.push([client, data]);
    }
    return missed;
  }

  #remember(client: string): void {
    this.#gone.set(client, this.#changes);
    if (this.#gone.size <= GONE_KEPT) return;
    for (const [oldest, change] of this.#gone) {
      this.#gone.delete(oldest);
      this.#forgotten = change;
      return;
    }
  }
}
