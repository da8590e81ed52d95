// One end of a link: batches messages per tick into one binary message per direction, with credits,
// since ports have no backpressure. It does not know what the messages mean.
import { Packr } from 'msgpackr';
import { type Clock, systemClock } from './clock.ts';

/** What carries a link's batches: a MessagePort, later a socket to a peer. Batches arrive whole and in order. */
export interface Transport {
  post(batch: Uint8Array<ArrayBuffer>): void;
  onBatch(listener: (batch: Uint8Array) => void): void;
  close(): void;
}

export interface LinkOptions {
  /** Messages on their way or not yet handled by the other end; past it they wait here. */
  readonly windowMessages: number;
  /** The same in bytes of their strings and frames. A larger message goes when no more than a quarter is on its way. */
  readonly windowBytes: number;
  /** Messages waiting here; past it `offer` refuses. */
  readonly queueMessages: number;
  /** The same in bytes. */
  readonly queueBytes: number;
  /**
   * Longest time between two batches while messages come thick, ms; 0: a batch per turn. Waking the
   * other thread costs tens of microseconds, and what an owner is sent is committed in groups anyway.
   */
  readonly gatherMs: number;
}

/** Messages per ms for which a link waits one ms; for twice as many two. */
const THICK_PER_MS = 3;
/** Windows' worth of bytes that wait: more are an overflow, of a reader that is far slower than what it is told. */
const OVERFLOW = 4;
/** What counts of a batch in the running rate when the next one comes. */
const REMEMBERED = 0.9;

/**
 * Order: messages arrive in the order offered. `offer` refuses (false) when the other end is too far
 * behind; `send` never refuses and is for messages whose number is bounded elsewhere (answers to what
 * was admitted, closes), or, where that is not so, for an end that watches for `onOverflow`. A batch is shipped at the end of the event-loop turn, at once by `flush`, and
 * no sooner than `gatherMs` after the last.
 */
export class Link<Out extends readonly unknown[], In extends readonly unknown[]> {
  private readonly transport: Transport;
  private readonly options: LinkOptions;
  private readonly clock: Clock;
  private queue: Out[] = [];
  private queuedBytes = 0;
  private sent = 0;
  private sentBytes = 0;
  private handledByPeer = 0;
  private handledBytesByPeer = 0;
  private handled = 0;
  private handledBytes = 0;
  private creditTold = 0;
  private creditBytesTold = 0;
  private lastFlush = 0;
  private recentMs = 0;
  private recentMessages = 0;
  private scheduled = false;
  private overflowed = false;
  private readonly onOverflow: () => void;
  private closed = false;
  private readonly packr = new Packr({ useRecords: false, mapsAsObjects: true, encodeUndefinedAsNil: true });

  constructor(
    transport: Transport,
    options: LinkOptions,
    onMessages: (messages: readonly In[]) => void,
    clock: Clock = systemClock,
    onOverflow: () => void = () => undefined,
  ) {
    this.onOverflow = onOverflow;
    this.transport = transport;
    this.options = options;
    this.clock = clock;
    transport.onBatch((batch) => {
      if (this.closed) return;
      const [credit, creditBytes, bytes, messages] = this.packr.unpack(batch) as Batch<In>;
      this.handledByPeer = credit;
      this.handledBytesByPeer = creditBytes;
      this.handled += messages.length;
      this.handledBytes += bytes;
      if (messages.length > 0) onMessages(messages);
      this.tellWhenDue();
    });
  }

  /** A message that has just come waits at this end: it has not been handled before `settle` is called for it. */
  postpone(message: In): void {
    this.handled--;
    this.handledBytes -= bytesOf(message);
  }

  /** A postponed message has been handled. */
  settle(message: In): void {
    this.handled++;
    this.handledBytes += bytesOf(message);
    this.tellWhenDue();
  }

  /** False: the link is full; nothing was taken. */
  offer(message: Out): boolean {
    const { queueMessages, queueBytes } = this.options;
    if (this.queue.length >= queueMessages || this.queuedBytes >= queueBytes) return false;
    this.send(message);
    return true;
  }

  send(message: Out): void {
    if (this.closed) return;
    this.queue.push(message);
    this.queuedBytes += bytesOf(message);
    if (this.queuedBytes > OVERFLOW * this.options.windowBytes && !this.overflowed) {
      this.overflowed = true;
      this.clock.soon(() => !this.closed && this.onOverflow());
    }
    this.schedule();
  }

  /** What waits is not sent; whoever it was for is to start over. */
  dropQueue(): void {
    this.queue = [];
    this.queuedBytes = 0;
    this.overflowed = false;
  }

  /** Messages that the other end has not handled. */
  get backlog(): number {
    return this.queue.length + this.sent - this.handledByPeer;
  }

  close(): void {
    this.closed = true;
    this.queue = [];
    this.queuedBytes = 0;
    this.transport.close();
  }

  private tellWhenDue(): void {
    const { windowMessages, windowBytes } = this.options;
    const due =
      this.handled - this.creditTold > windowMessages / 4 ||
      this.handledBytes - this.creditBytesTold > windowBytes / 4;
    if (this.queue.length > 0 || due) this.schedule();
  }

  private schedule(): void {
    if (this.scheduled || this.closed) return;
    this.scheduled = true;
    const { gatherMs } = this.options;
    const rate = gatherMs === 0 || this.recentMs === 0 ? 0 : this.recentMessages / this.recentMs;
    const wait = Math.min(gatherMs, Math.floor(rate / THICK_PER_MS));
    if (wait > 0 && this.clock.now() - this.lastFlush < wait) this.clock.after(wait, this.flush);
    else this.clock.soon(this.flush);
  }

  readonly flush = (): void => {
    this.scheduled = false;
    if (this.closed) return;
    const bytesBefore = this.sentBytes;
    const messages = this.taken();
    if (messages.length === 0 && this.handled === this.creditTold) return;
    this.sent += messages.length;
    this.creditTold = this.handled;
    this.creditBytesTold = this.handledBytes;
    if (this.options.gatherMs > 0) this.observe(messages.length);
    this.transport.post(
      new Uint8Array(
        this.packr.pack([this.handled, this.handledBytes, this.sentBytes - bytesBefore, messages]),
      ),
    );
  };

  /** From the queue what the window has room for. */
  private taken(): Out[] {
    const { windowMessages, windowBytes } = this.options;
    const room = windowMessages - (this.sent - this.handledByPeer);
    const onTheWay = this.sentBytes - this.handledBytesByPeer;
    if (this.queue.length <= room && onTheWay + this.queuedBytes <= windowBytes) {
      const all = this.queue;
      this.sentBytes += this.queuedBytes;
      this.queue = [];
      this.queuedBytes = 0;
      return all;
    }
    let count = 0;
    let bytes = 0;
    for (const message of this.queue) {
      const more = bytesOf(message);
      // With a quarter of the window open or less the other end need not have told what it has handled.
      const isFull = onTheWay + bytes + more > windowBytes && onTheWay + bytes > windowBytes / 4;
      if (count >= room || isFull) break;
      count++;
      bytes += more;
    }
    this.sentBytes += bytes;
    this.queuedBytes -= bytes;
    return this.queue.splice(0, count);
  }

  private observe(messages: number): void {
    const now = this.clock.now();
    this.recentMs = REMEMBERED * this.recentMs + now - this.lastFlush;
    this.recentMessages = REMEMBERED * this.recentMessages + messages;
    this.lastFlush = now;
  }
}

/** Messages and bytes that the sender has handled so far; the bytes of these messages. */
type Batch<Message> = [handled: number, handledBytes: number, bytes: number, messages: Message[]];

/** Of what makes a message large: its strings and bytes, also in a list. */
function bytesOf(message: readonly unknown[]): number {
  let bytes = 0;
  for (const part of message) {
    if (typeof part === 'string') bytes += part.length;
    else if (typeof part !== 'object' || part === null) continue;
    else if (part instanceof Uint8Array) bytes += part.length;
    else if (Array.isArray(part)) bytes += bytesOf(part);
  }
  return bytes;
}
