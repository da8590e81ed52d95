// Presence of one document: each client's latest state, which of them are still to be told to all, and
// what a reader that is being caught up has missed meanwhile. It knows no links and sends nothing.

/** Changes told at once; each who moved is told of all the others, so its cost is this squared. */
const PRESENCES_PER_TICK = 64;
/**
 * Clients remembered as gone while somebody is being caught up. Past it the oldest is forgotten, and who
 * may have been shown it must open afresh.
 */
export const GONE_KEPT = 4096;

/** A client and its state as JSON text; null: gone. */
export type PresenceChange = readonly [client: string, data: string | null];

/** Numbers of changes. */
interface Behind {
  /** States set later have been missed. */
  readonly states: number;
  /** Whoever went later may have been shown. */
  readonly gone: number;
}

const NOTHING: readonly PresenceChange[] = [];

export class Presence {
  private readonly maxSize: number;
  private readonly current = new Map<string, string>();
  private size = 0;
  private readonly untold = new Set<string>();
  /** Changes so far; each state knows which one set it. */
  private changes = 0;
  private readonly changedAt = new Map<string, number>();
  /** Readers that do not hear of changes yet. */
  private readonly behind = new Map<string, Behind>();
  /** Oldest first; kept only while somebody is behind. */
  private readonly gone = new Map<string, number>();
  /** The latest change among those forgotten. */
  private forgotten = 0;

  constructor(maxSize: number) {
    this.maxSize = maxSize;
  }

  /** client -> JSON text. */
  get states(): ReadonlyMap<string, string> {
    return this.current;
  }

  get hasUntold(): boolean {
    return this.untold.size > 0;
  }

  /** Best effort: past its share of a frame a document takes no more of it, for `opened` carries all. */
  set(client: string, data: string | null): void {
    const before = this.current.get(client)?.length ?? 0;
    const size = this.size + (data?.length ?? 0) - before;
    if (data !== null && size > this.maxSize) return;
    this.size = size;
    this.changes++;
    this.untold.add(client);
    this.gone.delete(client);
    if (data !== null) {
      this.current.set(client, data);
      this.changedAt.set(client, this.changes);
      return;
    }
    this.current.delete(client);
    this.changedAt.delete(client);
    if (this.behind.size > 0) this.remember(client);
  }

  /** Changes to tell, as many as one tick takes: client, JSON text or null, client, … */
  takeUntold(): (string | null)[] {
    const states: (string | null)[] = [];
    for (const client of this.untold) {
      if (states.length >= 2 * PRESENCES_PER_TICK) break;
      states.push(client, this.current.get(client) ?? null);
      this.untold.delete(client);
    }
    return states;
  }

  /** The reader has been shown all states as they are, and is not told of changes until it has caught up. */
  shown(reader: string): void {
    this.behind.set(reader, { states: this.changes, gone: this.changes });
  }

  /** The reader knows what another owner told it; none of the states here. */
  unknownTo(reader: string): void {
    this.behind.set(reader, { states: 0, gone: this.changes });
  }

  /** From here on the reader is told with all the others. What it has missed of them; undefined: that is no longer known. */
  caughtUp(reader: string): readonly PresenceChange[] | undefined {
    const from = this.behind.get(reader);
    if (from === undefined) return NOTHING;
    const missed = this.missed(reader, from);
    this.forget(reader);
    return missed;
  }

  /** The reader is there no more, or starts afresh. */
  forget(reader: string): void {
    if (!this.behind.delete(reader) || this.behind.size > 0) return;
    this.gone.clear();
    this.forgotten = 0;
  }

  clear(): void {
    this.current.clear();
    this.changedAt.clear();
    this.size = 0;
    this.untold.clear();
    this.behind.clear();
    this.gone.clear();
    this.forgotten = 0;
  }

  private missed(reader: string, from: Behind): readonly PresenceChange[] | undefined {
    if (from.gone < this.forgotten) return undefined;
    if (from.states === this.changes) return NOTHING;
    const missed: PresenceChange[] = [];
    for (const [client, change] of this.gone) {
      if (change > from.gone && client !== reader) missed.push([client, null]);
    }
    for (const [client, data] of this.current) {
      if ((this.changedAt.get(client) ?? 0) > from.states && client !== reader) missed.push([client, data]);
    }
    return missed;
  }

  private remember(client: string): void {
    this.gone.set(client, this.changes);
    if (this.gone.size <= GONE_KEPT) return;
    for (const [oldest, change] of this.gone) {
      this.gone.delete(oldest);
      this.forgotten = change;
      return;
    }
  }
}
