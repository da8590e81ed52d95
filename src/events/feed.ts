// The events of a node's readers: one reading of the database for all of them. Each reader begins where it says, reads what
// it has missed from the database, and gets every later event once, in order. A reader that does not keep up is ended.
import type { Clock } from '../../actors/clock.ts';
import type { EventStore, EventType, StoredEvent } from '../../actors/storage/event-store.ts';

/** An event as readers and receivers are told it. */
export interface ToldEvent {
  readonly id: number;
  readonly type: EventType;
  /** `org/name` */
  readonly doc: string;
  readonly version: number;
  /**
   * `changed`: the users whose patches are new since the last event of the document. Otherwise the user who created it,
   * brought it back or deleted it, or none if that is not known.
   */
  readonly users: readonly string[];
  /** ISO 8601. */
  readonly at: string;
}

export interface Reader {
  /**
   * False: the reader does not keep up, or cannot be told this event now, and is ended. A promise, which never rejects, if
   * that has to be found out. Later events may be given before it resolves.
   */
  take(event: ToldEvent): boolean | Promise<boolean>;
  end(): void;
}

/** The reading of one reader. */
export interface Reading {
  /** It begins after this event. */
  readonly from: number;
  begin(): void;
  /** Ends the reader too. */
  readonly end: () => void;
  /** The reader has had everything up to this event. */
  position(): number;
}

const LOOK_MS = 250;
/** Events of one statement. */
const PAGE = 500;
/** Events whose users are remembered: readers that catch up ask for the same ones. */
const USERS_KEPT = 5_000;

export class Feed {
  readonly #store: Pick<EventStore, 'page' | 'bounds' | 'usersOf'>;
  readonly #clock: Clock;
  /** Readers by organisation. All of them have had every event up to `#position`. */
  readonly #readers = new Map<string, Set<Reader>>();
  readonly #users = new Map<number, Promise<readonly string[]>>();
  #position: number | undefined;
  #isLooking = false;
  #stop: (() => void) | undefined;
  #count = 0;
  /** The form in which each reader has joined the others. */
  readonly #joined = new Map<Reader, Reader>();

  constructor(store: Pick<EventStore, 'page' | 'bounds' | 'usersOf'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Readers now, those that catch up included. */
  get size(): number {
    return this.#count;
  }

  /**
   * Has the reader take every event of the organisation above `after`; undefined: from now on. Resolves with where it
   * begins, or with undefined if events above `after` are gone.
   */
  async read(org: string, after: number | undefined, reader: Reader): Promise<Reading | undefined> {
    const { newest, pruned } = await this.#store.bounds();
    if (after !== undefined && (after < pruned || after > newest)) return undefined;
    const from = after ?? newest;
    const reading = { hasEnded: false };
    this.#count += 1;
    const end = (): void => {
      if (reading.hasEnded) return;
      reading.hasEnded = true;
      this.#count -= 1;
      this.#leave(org, reader);
      reader.end();
    };
    const begin = (): void => {
      void this.#catchUp(org, from, reader, reading, end).catch(end);
    };
    const position = (): number => (this.#joined.has(reader) ? (this.#position ?? from) : from);
    return { from, begin, end, position };
  }

  /** Ends all readers. */
  close(): void {
    this.#stop?.();
    this.#stop = undefined;
    for (const readers of [...this.#readers.values()]) for (const reader of [...readers]) reader.end();
    this.#readers.clear();
  }

  /** Looks for new events at once. */
  readonly look = (): void => {
    if (this.#isLooking || this.#position === undefined) return;
    this.#isLooking = true;
    // A database that does not answer is asked again with the next look.
    void this.#readOn()
      .catch(() => undefined)
      .finally(() => {
        this.#isLooking = false;
      });
  };

  /** Reads pages of its own until it is where the other readers are. */
  async #catchUp(
    org: string,
    from: number,
    reader: Reader,
    reading: { readonly hasEnded: boolean },
    end: () => void,
  ): Promise<void> {
    for (let at = from; !reading.hasEnded; ) {
      const { newest } = await this.#store.bounds();
      const missed = await this.#store.page(at, PAGE, org);
      for (const event of missed) {
        if (reading.hasEnded) return;
        if (!(await reader.take(await this.#told(event)))) return end();
      }
      at = missed.at(-1)?.id ?? at;
      if (missed.length === PAGE || reading.hasEnded) continue;
      // All up to `newest` was seen by the page, which was read later.
      at = Math.max(at, newest);
      this.#position ??= at;
      if (at < this.#position) continue;
      this.#join(org, { take: (event) => (event.id <= at ? true : reader.take(event)), end }, reader);
      return;
    }
  }

  #join(org: string, joined: Reader, reader: Reader): void {
    const readers = this.#readers.get(org) ?? new Set();
    this.#readers.set(org, readers.add(joined));
    this.#joined.set(reader, joined);
    this.#stop ??= this.#clock.every(LOOK_MS, this.look);
  }

  #leave(org: string, reader: Reader): void {
    const joined = this.#joined.get(reader);
    if (joined === undefined) return;
    this.#joined.delete(reader);
    const readers = this.#readers.get(org);
    readers?.delete(joined);
    if (readers?.size === 0) this.#readers.delete(org);
    if (this.#readers.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
    this.#position = undefined;
  }

  async #readOn(): Promise<void> {
    for (let more = true; more && this.#position !== undefined; ) {
      const events = await this.#store.page(this.#position, PAGE);
      more = events.length === PAGE;
      for (const event of events) {
        const told = this.#readers.has(event.org) ? await this.#told(event) : undefined;
        // Readers may have come and gone meanwhile.
        if (this.#position === undefined) return;
        this.#position = Math.max(this.#position, event.id);
        if (told === undefined) continue;
        for (const reader of [...(this.#readers.get(event.org) ?? [])]) give(told, reader);
      }
    }
  }

  async #told({ id, type, org, name, doc, since, version, by, at }: StoredEvent): Promise<ToldEvent> {
    const users = type === 'changed' ? await this.#usersOf(id, doc, since, version) : byOne(by);
    return { id, type, doc: `${org}/${name}`, version, users, at };
  }

  #usersOf(id: number, doc: number, since: number, version: number): Promise<readonly string[]> {
    const known = this.#users.get(id);
    if (known !== undefined) return known;
    const asked = this.#store.usersOf(doc, since, version);
    this.#users.set(id, asked);
    asked.catch(() => this.#users.delete(id));
    const [oldest] = this.#users.keys();
    if (this.#users.size > USERS_KEPT && oldest !== undefined) this.#users.delete(oldest);
    return asked;
  }
}

/** No reader waits for another one. */
function give(event: ToldEvent, reader: Reader): void {
  const isTaken = reader.take(event);
  if (isTaken === false) reader.end();
  else if (isTaken !== true) void isTaken.then((isTold) => isTold || reader.end());
}

/** The users of an event that one user has made, if that user is known. */
export const byOne = (by: string | null): readonly string[] => (by === null ? [] : [by]);
