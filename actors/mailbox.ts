// A bounded queue of messages for one actor that cannot take them yet. What does not fit is refused
// at the door, never dropped later.

export interface MailboxLimits {
  readonly messages: number;
  readonly bytes: number;
}

export class Mailbox<T> {
  private readonly limits: MailboxLimits;
  private items: { item: T; bytes: number }[] = [];
  private bytes = 0;

  constructor(limits: MailboxLimits) {
    this.limits = limits;
  }

  get isEmpty(): boolean {
    return this.items.length === 0;
  }

  /** False: full, nothing was taken. `always`: takes it beyond the bound. */
  put(item: T, bytes: number, always = false): boolean {
    if (!always && (this.items.length >= this.limits.messages || this.bytes + bytes > this.limits.bytes))
      return false;
    this.items.push({ item, bytes });
    this.bytes += bytes;
    return true;
  }

  putFirst(item: T): void {
    this.items.unshift({ item, bytes: 0 });
  }

  take(): T | undefined {
    const first = this.items.shift();
    if (first !== undefined) this.bytes -= first.bytes;
    return first?.item;
  }

  find(wanted: (item: T) => boolean): T | undefined {
    return this.items.find(({ item }) => wanted(item))?.item;
  }

  /** Empties it; returns what was in it, in order. */
  clear(): readonly T[] {
    const all = this.items;
    this.items = [];
    this.bytes = 0;
    return all.map(({ item }) => item);
  }

  removeWhere(unwanted: (item: T) => boolean): void {
    const kept = this.items.filter(({ item }) => !unwanted(item));
    this.items = kept;
    this.bytes = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
