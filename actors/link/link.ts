// One end of a link. It batches the messages of a tick into one binary message per direction. It uses
// credits, because ports have no backpressure. It does not know the meaning of messages.
//
// The credits that the other end tells never fall, and never exceed what this end has sent. A link that is told
// other credits closes before it hands on the messages of that batch: its window no longer bounds anything.
import assert from 'node:assert/strict';
import { Packr } from 'msgpackr';
import { type Clock, systemClock } from '../clock.ts';

/** Carries a link's batches: a MessagePort, or a socket to a peer. Batches arrive whole and in order. */
export interface Transport {
  post(batch: Uint8Array<ArrayBuffer>): void;
  onBatch(listener: (batch: Uint8Array) => void): void;
  close(): void;
}

export interface LinkOptions {
  /** Most messages sent and not yet handled by the other end. Further messages wait at this end. */
  readonly windowMessages: number;
  /**
   * The same limit in bytes of strings and frames. A larger message is sent when at most a quarter is on
   * its way.
   */
  readonly windowBytes: number;
  /** Most messages that wait at this end. Beyond it `offer` refuses. */
  readonly queueMessages: number;
  /** The same limit in bytes. */
  readonly queueBytes: number;
}

/** Decides which messages wait for others, and how long (gathering.ts). */
export interface Gatherer<Out> {
  mayWait(message: Out): boolean;
  readonly waitMs: number;
  sent(messages: number): void;
}

/** Waiting bytes beyond this many windows are an overflow: the reader is far slower than its writers. */
const OVERFLOW = 4;

/**
 * Messages arrive in the order in which they were offered. `offer` refuses (false) when the other end is
 * too far behind. `send` never refuses. It is for messages whose number is bounded elsewhere (answers to
 * admitted messages, closes), or for an end that handles `onOverflow`. A batch is sent at the end of the
 * event-loop turn, at once by `flush`, or later if all its messages may wait for others.
 */
export class Link<Out extends readonly unknown[], In extends readonly unknown[]> {
  readonly #transport: Transport;
  readonly #options: LinkOptions;
  readonly #clock: Clock;
  #queue: Out[] = [];
  #queuedBytes = 0;
  #sent = 0;
  #sentBytes = 0;
  #handledByPeer = 0;
  #handledBytesByPeer = 0;
  #handled = 0;
  #handledBytes = 0;
  #creditTold = 0;
  #creditBytesTold = 0;
  /** Messages that have arrived, wait at this end and do not count as handled. */
  #postponed = 0;
  #scheduled = false;
  /** Cancels the wait for more messages. Undefined if nothing is being gathered. */
  #endGathering: (() => void) | undefined;
  #overflowed = false;
  readonly #onOverflow: () => void;
  /** Undefined if each message is sent at the end of its turn. */
  gatherer: Gatherer<Out> | undefined;
  /** Called after each batch, which tells what the other end has handled. */
  onCredit: () => void = () => undefined;
  /**
   * Called when the other end has told credits that cannot be. The link has been closed. The default throws,
   * which ends a worker's thread.
   */
  onBroken: (error: Error) => void = (error) => {
    throw error;
  };
  #closed = false;
  readonly #packr = new Packr({ useRecords: false, mapsAsObjects: true, encodeUndefinedAsNil: true });

  constructor(
    transport: Transport,
    options: LinkOptions,
    onMessages: (messages: readonly In[]) => void,
    clock: Clock = systemClock,
    onOverflow: () => void = () => undefined,
  ) {
    this.#onOverflow = onOverflow;
    this.#transport = transport;
    this.#options = options;
    this.#clock = clock;
    transport.onBatch((batch) => {
      if (this.#closed) return;
      const [credit, creditBytes, bytes, messages] = this.#packr.unpack(batch) as Batch<In>;
      if (!this.#isPossible(credit, creditBytes)) {
        this.close();
        this.onBroken(new Error(`a link is told that ${credit} messages of ${this.#sent} were handled`));
        return;
      }
      this.#handledByPeer = credit;
      this.#handledBytesByPeer = creditBytes;
      this.#handled += messages.length;
      this.#handledBytes += bytes;
      if (messages.length > 0) onMessages(messages);
      this.onCredit();
      this.#tellWhenDue();
    });
  }

  /**
   * Notes that a message which has just arrived waits at this end. It counts as handled once `settle` is
   * called for it.
   */
  postpone(message: In): void {
    this.#postponed++;
    this.#handled--;
    this.#handledBytes -= bytesOf(message);
  }

  /** Notes that a postponed message has been handled. */
  settle(message: In): void {
    assert(this.#postponed > 0, 'a message of a link is handled twice');
    this.#postponed--;
    this.#handled++;
    this.#handledBytes += bytesOf(message);
    this.#tellWhenDue();
  }

  /** False if the link is full and the message was not taken. */
  offer(message: Out): boolean {
    const { queueMessages, queueBytes } = this.#options;
    if (this.#queue.length >= queueMessages || this.#queuedBytes >= queueBytes) return false;
    this.send(message);
    return true;
  }

  send(message: Out): void {
    if (this.#closed) return;
    this.#queue.push(message);
    this.#queuedBytes += bytesOf(message);
    if (this.#queuedBytes > OVERFLOW * this.#options.windowBytes && !this.#overflowed) {
      this.#overflowed = true;
      this.#clock.soon(() => !this.#closed && this.#onOverflow());
    }
    if (this.#scheduled) this.#endWaitFor(message);
    else if (this.gatherer?.mayWait(message) === true) this.#schedule(this.gatherer.waitMs);
    else this.#schedule();
  }

  /** Drops all waiting messages and returns them. The caller makes their receivers start over. */
  dropQueue(): readonly Out[] {
    const dropped = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#overflowed = false;
    return dropped;
  }

  /** Number of messages that the other end has not handled. */
  get backlog(): number {
    return this.#queue.length + this.#sent - this.#handledByPeer;
  }

  /** Bytes that the other end has not handled, as far as this end knows. */
  get backlogBytes(): number {
    return this.#queuedBytes + this.#sentBytes - this.#handledBytesByPeer;
  }

  close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#transport.close();
  }

  #isPossible(credit: number, creditBytes: number): boolean {
    return (
      credit >= this.#handledByPeer &&
      credit <= this.#sent &&
      creditBytes >= this.#handledBytesByPeer &&
      creditBytes <= this.#sentBytes
    );
  }

  #tellWhenDue(): void {
    const { windowMessages, windowBytes } = this.#options;
    const due =
      this.#handled - this.#creditTold > windowMessages / 4 ||
      this.#handledBytes - this.#creditBytesTold > windowBytes / 4;
    if (this.#queue.length > 0 || due) this.#schedule();
  }

  #schedule(waitMs = 0): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    if (waitMs > 0) this.#endGathering = this.#clock.after(waitMs, this.flush);
    else this.#clock.soon(this.flush);
  }

  /** Ends the wait of other messages if this one may not wait. */
  #endWaitFor(message: Out): void {
    if (this.#endGathering === undefined || this.gatherer?.mayWait(message) === true) return;
    this.#endGathering();
    this.#endGathering = undefined;
    this.#clock.soon(this.flush);
  }

  readonly flush = (): void => {
    this.#scheduled = false;
    this.#endGathering?.();
    this.#endGathering = undefined;
    if (this.#closed) return;
    const bytesBefore = this.#sentBytes;
    const messages = this.#taken();
    if (messages.length === 0 && this.#handled === this.#creditTold) return;
    assert(this.#handled >= this.#creditTold, 'a link takes back credits that it has told');
    this.#sent += messages.length;
    this.#creditTold = this.#handled;
    this.#creditBytesTold = this.#handledBytes;
    if (messages.length > 0) this.gatherer?.sent(messages.length);
    this.#transport.post(
      new Uint8Array(
        this.#packr.pack([this.#handled, this.#handledBytes, this.#sentBytes - bytesBefore, messages]),
      ),
    );
  };

  /** Takes as many messages from the queue as the window has room for. */
  #taken(): Out[] {
    const { windowMessages, windowBytes } = this.#options;
    const room = windowMessages - (this.#sent - this.#handledByPeer);
    const onTheWay = this.#sentBytes - this.#handledBytesByPeer;
    if (this.#queue.length <= room && onTheWay + this.#queuedBytes <= windowBytes) {
      const all = this.#queue;
      this.#sentBytes += this.#queuedBytes;
      this.#queue = [];
      this.#queuedBytes = 0;
      return all;
    }
    let count = 0;
    let bytes = 0;
    for (const message of this.#queue) {
      const more = bytesOf(message);
      // While at most a quarter of the window is in use, the other end need not have told yet what it has
      // handled.
      const isFull = onTheWay + bytes + more > windowBytes && onTheWay + bytes > windowBytes / 4;
      if (count >= room || isFull) break;
      count++;
      bytes += more;
    }
    this.#sentBytes += bytes;
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }
}

/** Messages and bytes that the sender has handled so far, and the bytes of the messages of this batch. */
type Batch<Message> = [handled: number, handledBytes: number, bytes: number, messages: Message[]];

/** Bytes of the large parts of a message: its strings and byte arrays, also inside a list. */
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
