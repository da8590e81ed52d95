// A bounded queue of messages for one document that cannot take them yet, and the bound on all such queues
// of a worker together. A message that does not fit is refused on arrival; a message that was taken is
// never dropped for lack of room.

export interface MailboxLimits {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * The messages that wait in all mailboxes of a worker for one reason. While the room is more than half
 * full, a mailbox with messages in it may hold no more than its share, so the clients of one document
 * cannot fill the room.
 */
export class WaitingRoom {
  readonly #limits: MailboxLimits;
  #messages = 0;
  #bytes = 0;
  /** Number of mailboxes that have messages in this room. */
  #boxes = 0;

  constructor(limits: MailboxLimits) {
    this.#limits = limits;
  }

  /** All messages in this room. */
  get waiting(): MailboxLimits {
    return { messages: this.#messages, bytes: this.#bytes };
  }

  /** False if there is no room. `own` has the messages of the same mailbox that are in this room already. */
  enter(bytes: number, own: MailboxLimits, always: boolean): boolean {
    if (!always && !this.#hasRoom(bytes, own)) return false;
    if (own.messages === 0) this.#boxes++;
    this.#messages++;
    this.#bytes += bytes;
    return true;
  }

  /** `own` has the messages of the same mailbox that are still in this room. */
  leave(bytes: number, own: MailboxLimits): void {
    if (own.messages === 0) this.#boxes--;
    this.#messages--;
    this.#bytes -= bytes;
  }

  #hasRoom(bytes: number, own: MailboxLimits): boolean {
    const limits = this.#limits;
    if (this.#messages >= limits.messages || this.#bytes + bytes > limits.bytes) return false;
    if (own.messages === 0) return true;
    const isHalfFull = this.#messages > limits.messages / 2 || this.#bytes > limits.bytes / 2;
    const share = 1 / (2 * this.#boxes);
    return (
      !isHalfFull || (own.messages < limits.messages * share && own.bytes + bytes <= limits.bytes * share)
    );
  }
}

interface Held<T> {
  readonly item: T;
  readonly bytes: number;
  readonly room: WaitingRoom;
}

interface Own {
  messages: number;
  bytes: number;
}

export class Mailbox<T> {
  readonly #limits: MailboxLimits;
  readonly #onLeft: (item: T) => void;
  #items: Held<T>[] = [];
  /** Index of the first item that has not been taken. */
  #first = 0;
  #bytes = 0;
  readonly #inRooms = new Map<WaitingRoom, Own>();

  /** `onLeft` is called for each item that leaves, in any way. */
  constructor(limits: MailboxLimits, onLeft: (item: T) => void = () => undefined) {
    this.#limits = limits;
    this.#onLeft = onLeft;
  }

  get next(): T | undefined {
    return this.#items[this.#first]?.item;
  }

  get isEmpty(): boolean {
    return this.#items.length === this.#first;
  }

  /** False if the mailbox is full and the item was not taken. With `always` it is taken beyond the bounds. */
  put(item: T, bytes: number, room: WaitingRoom, always = false): boolean {
    const limits = this.#limits;
    const isFull = this.#items.length - this.#first >= limits.messages || this.#bytes + bytes > limits.bytes;
    if (isFull && !always) return false;
    const own = this.#inRooms.get(room) ?? { messages: 0, bytes: 0 };
    if (!room.enter(bytes, own, always)) return false;
    own.messages++;
    own.bytes += bytes;
    this.#inRooms.set(room, own);
    this.#items.push({ item, bytes, room });
    this.#bytes += bytes;
    return true;
  }

  take(): T | undefined {
    const held = this.#items[this.#first];
    if (held === undefined) return undefined;
    this.#first++;
    // Taken items are cut off from time to time, so that taking one stays cheap.
    if (this.#first === this.#items.length) {
      this.#items = [];
      this.#first = 0;
    } else if (this.#first > TAKEN_KEPT) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    this.#left(held);
    return held.item;
  }

  find(wanted: (item: T) => boolean): T | undefined {
    for (let at = this.#first; at < this.#items.length; at++) {
      const held = this.#items[at];
      if (held !== undefined && wanted(held.item)) return held.item;
    }
    return undefined;
  }

  /** Empties the mailbox and returns its items in order. */
  clear(): readonly T[] {
    const all = this.#items.slice(this.#first);
    this.#items = [];
    this.#first = 0;
    for (const held of all) this.#left(held);
    return all.map(({ item }) => item);
  }

  removeWhere(unwanted: (item: T) => boolean): void {
    const all = this.#items.slice(this.#first);
    this.#items = all.filter(({ item }) => !unwanted(item));
    this.#first = 0;
    for (const held of all) if (unwanted(held.item)) this.#left(held);
  }

  #left({ item, bytes, room }: Held<T>): void {
    this.#bytes -= bytes;
    const own = this.#inRooms.get(room);
    if (own !== undefined) {
      own.messages--;
      own.bytes -= bytes;
      room.leave(bytes, own);
    }
    this.#onLeft(item);
  }
}

const TAKEN_KEPT = 64;
