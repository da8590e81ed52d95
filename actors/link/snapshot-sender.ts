// Sends large snapshots over a link, in pieces, so that all subscribers behind the link share one copy of
// each. It bounds the bytes that are under way and the bytes that the other end keeps. It knows neither
// documents nor subscribers: a snapshot is known by the identity of its bytes.
import type { Clock } from '../clock.ts';
import type { Link } from './link.ts';
import { FORGET, SNAPSHOT, type ToGateway, type ToOwner } from './link-messages.ts';

export interface SnapshotSenderOptions {
  readonly link: Pick<Link<ToGateway, ToOwner>, 'send' | 'backlogBytes'>;
  /** The link's window. Snapshots fill at most half of it, so other messages always pass. */
  readonly windowBytes: number;
  readonly clock: Pick<Clock, 'now' | 'soon'>;
}

/** A smaller snapshot is part of each subscriber's own frame. */
export const SHARED_BYTES = 64 * 1024;
/** Bytes in one message. */
const PIECE_BYTES = 128 * 1024;
/** Bytes sent in one turn of the event loop. */
const TURN_BYTES = 512 * 1024;
/** Most bytes of snapshots that the other end keeps; it always keeps the latest. */
const KEPT_BYTES = 64 * 1024 * 1024;
/** The other end keeps a snapshot for this long after its last use, ms. */
const KEPT_MS = 5_000;
/** Most subscribers that wait for snapshots of one link. */
const MOST_WAITING = 10_000;

interface Transfer {
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Bytes sent so far. */
  sent: number;
  /** The callbacks of the subscribers that wait for it. */
  calls: (() => void)[];
  usedAt: number;
}

export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  /** Snapshots that have not been sent completely, in the order in which they were asked for. */
  #waiting: Transfer[] = [];
  #waitingCalls = 0;
  /** Snapshots that the other end has, the least recently used first. */
  readonly #kept = new Map<Uint8Array, Transfer>();
  #keptBytes = 0;
  #last = 0;
  #scheduled = false;
  #isOver = false;

  constructor(options: SnapshotSenderOptions) {
    this.#options = options;
  }

  /** The number under which the other end has this snapshot. Undefined if it does not have it. */
  numberOf(bytes: Uint8Array): number | undefined {
    const kept = this.#kept.get(bytes);
    if (kept === undefined) return undefined;
    kept.usedAt = this.#options.clock.now();
    this.#kept.delete(bytes);
    this.#kept.set(bytes, kept);
    return kept.number;
  }

  /**
   * Sends the snapshot, unless it is on its way already, and calls `then` once all of it has been given to
   * the link. Snapshots are sent one after the other. False if too many subscribers wait.
   */
  send(bytes: Uint8Array, then: () => void): boolean {
    if (this.#isOver || this.#waitingCalls >= MOST_WAITING) return false;
    this.#waitingCalls++;
    const same = this.#waiting.find((transfer) => transfer.bytes === bytes);
    if (same !== undefined) same.calls.push(then);
    else this.#waiting.push({ number: ++this.#last, bytes, sent: 0, calls: [then], usedAt: 0 });
    this.#schedule();
    return true;
  }

  /** Call it when the other end has handled messages. */
  credited(): void {
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** Lets the other end forget snapshots that have not been used for a while. */
  sweep(): void {
    const since = this.#options.clock.now() - KEPT_MS;
    for (const transfer of [...this.#kept.values()]) if (transfer.usedAt < since) this.#forget(transfer);
  }

  /** Starts over after messages of the link have been dropped: some pieces may be lost. */
  restart(): void {
    for (const transfer of [...this.#kept.values()]) this.#forget(transfer);
    const [first] = this.#waiting;
    if (first === undefined) return;
    if (first.sent > 0) {
      this.#options.link.send([FORGET, first.number]);
      this.#waiting[0] = { ...first, number: ++this.#last, sent: 0 };
    }
    // The dropped messages have made room, and no credit tells so.
    this.#schedule();
  }

  /** The link is gone. All callbacks run, since subscribers of other links count on the end of each wait. */
  dispose(): void {
    const all = this.#waiting.flatMap(({ calls }) => calls);
    this.#waiting = [];
    this.#isOver = true;
    for (const then of all) then();
  }

  #schedule(): void {
    if (this.#scheduled || this.#isOver) return;
    this.#scheduled = true;
    this.#options.clock.soon(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { link, windowBytes } = this.#options;
    for (let bytes = 0; bytes < TURN_BYTES; ) {
      const [first] = this.#waiting;
      // The next credit goes on.
      if (first === undefined || link.backlogBytes >= windowBytes / 2) return;
      if (first.sent === 0) this.#makeRoom(first.bytes.length);
      const piece = first.bytes.subarray(first.sent, first.sent + PIECE_BYTES);
      link.send([SNAPSHOT, first.number, piece]);
      first.sent += piece.length;
      bytes += piece.length;
      if (first.sent === first.bytes.length) this.#completed(first);
    }
    if (this.#waiting.length > 0) this.#schedule();
  }

  #completed(transfer: Transfer): void {
    this.#waiting.shift();
    transfer.usedAt = this.#options.clock.now();
    this.#kept.set(transfer.bytes, transfer);
    this.#keptBytes += transfer.bytes.length;
    const all = transfer.calls;
    transfer.calls = [];
    this.#waitingCalls -= all.length;
    for (const then of all) then();
  }

  #makeRoom(bytes: number): void {
    for (const transfer of [...this.#kept.values()]) {
      if (this.#keptBytes + bytes <= KEPT_BYTES) return;
      this.#forget(transfer);
    }
  }

  #forget(transfer: Transfer): void {
    this.#kept.delete(transfer.bytes);
    this.#keptBytes -= transfer.bytes.length;
    this.#options.link.send([FORGET, transfer.number]);
  }
}
