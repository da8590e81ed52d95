// A bounded queue of messages for one document that cannot take them yet, and the bound on all such queues of a
// worker together. What does not fit is refused at the door, never dropped later.

export interface MailboxLimits {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * What waits in all mailboxes of a worker for one reason. While it is more than half full a mailbox that has something
 * in it may hold its share and no more: one document's clients cannot fill it for all the others.
 */
export class WaitingRoom {
  private readonly limits: MailboxLimits;
  private messages = 0;
  private bytes = 0;
  /** Mailboxes that have something in here. */
  private boxes = 0;

  constructor(limits: MailboxLimits) {
    this.limits = limits;
  }

  /** False: there is no room. `own`: what of the same mailbox is here already. */
  enter(bytes: number, own: MailboxLimits, always: boolean): boolean {
    if (!always && !this.hasRoom(bytes, own)) return false;
    if (own.messages === 0) this.boxes++;
    this.messages++;
    this.bytes += bytes;
    return true;
  }

  /** `own`: what of the same mailbox is still here. */
  leave(bytes: number, own: MailboxLimits): void {
    if (own.messages === 0) this.boxes--;
    this.messages--;
    this.bytes -= bytes;
  }

  private hasRoom(bytes: number, own: MailboxLimits): boolean {
    const { limits } = this;
    if (this.messages >= limits.messages || this.bytes + bytes > limits.bytes) return false;
    if (own.messages === 0) return true;
    const isHalfFull = this.messages > limits.messages / 2 || this.bytes > limits.bytes / 2;
    const share = 1 / (2 * this.boxes);
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
  private readonly limits: MailboxLimits;
  private readonly onLeft: (item: T) => void;
  private items: Held<T>[] = [];
  /** Items before this one have been taken. */
  private first = 0;
  private bytes = 0;
  private readonly inRooms = new Map<WaitingRoom, Own>();

  /** `onLeft` is told of each item that is not here any more, however it left. */
  constructor(limits: MailboxLimits, onLeft: (item: T) => void = () => undefined) {
    this.limits = limits;
    this.onLeft = onLeft;
  }

  get next(): T | undefined {
    return this.items[this.first]?.item;
  }

  get isEmpty(): boolean {
    return this.items.length === this.first;
  }

  /** False: full, nothing was taken. `always`: takes it beyond the bounds. */
  put(item: T, bytes: number, room: WaitingRoom, always = false): boolean {
    const { limits } = this;
    const isFull = this.items.length - this.first >= limits.messages || this.bytes + bytes > limits.bytes;
    if (isFull && !always) return false;
    const own = this.inRooms.get(room) ?? { messages: 0, bytes: 0 };
    if (!room.enter(bytes, own, always)) return false;
    own.messages++;
    own.bytes += bytes;
    this.inRooms.set(room, own);
    this.items.push({ item, bytes, room });
    this.bytes += bytes;
    return true;
  }

  take(): T | undefined {
    const held = this.items[this.first];
    if (held === undefined) return undefined;
    this.first++;
    // Cut off now and then, so that taking one stays cheap.
    if (this.first === this.items.length) {
      this.items = [];
      this.first = 0;
    } else if (this.first > TAKEN_KEPT) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    this.left(held);
    return held.item;
  }

  find(wanted: (item: T) => boolean): T | undefined {
    for (let at = this.first; at < this.items.length; at++) {
      const held = this.items[at];
      if (held !== undefined && wanted(held.item)) return held.item;
    }
    return undefined;
  }

  /** Empties it; returns what was in it, in order. */
  clear(): readonly T[] {
    const all = this.items.slice(this.first);
    this.items = [];
    this.first = 0;
    for (const held of all) this.left(held);
    return all.map(({ item }) => item);
  }

  removeWhere(unwanted: (item: T) => boolean): void {
    const all = this.items.slice(this.first);
    this.items = all.filter(({ item }) => !unwanted(item));
    this.first = 0;
    for (const held of all) if (unwanted(held.item)) this.left(held);
  }

  private left({ item, bytes, room }: Held<T>): void {
    this.bytes -= bytes;
    const own = this.inRooms.get(room);
    if (own !== undefined) {
      own.messages--;
      own.bytes -= bytes;
      room.leave(bytes, own);
    }
    this.onLeft(item);
  }
}

const TAKEN_KEPT = 64;
