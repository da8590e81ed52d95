// Snapshots and other large answers on their way to the sockets of the whole node. It bounds the bytes that
// wait in memory, and gives the answers turns: the kernel copies megabytes of an answer at once, and the
// thread would do nothing else while hundreds of them are written. Each connection bounds the share of its own
// reader.
import type { Clock } from '../../../actors/clock.ts';
import type { ClientConnection } from '../client-connection.ts';
import type { OwnerSnapshot } from '../subscriptions/owner-snapshots.ts';

/** Part of the limit above which owners are asked for no further documents. */
const NEARLY = 7 / 8;
/** A smaller answer waits for no turn. */
const TURN_BYTES = 64 * 1024;
/** Most answers that sockets have begun to take at one time. */
const AT_ONCE = 8;
/** A socket that takes longer than this for an answer, in ms, no longer counts among them. */
const HOLD_MS = 100;
/** Bytes of answers after which the thread rests for 1 ms. */
const REST_BYTES = 1024 * 1024;
/** The kernel takes at most about this much of one answer at once. */
const KERNEL_BYTES = 4 * REST_BYTES;

/** One frame, or several, as parts to be written one after the other. */
export interface LargeAnswer {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
  /** The snapshot among the parts, if other answers may share it. */
  readonly shared: OwnerSnapshot | undefined;
}

/** The answers of one connection that wait. */
interface Share {
  bytes: number;
  readonly snapshots: OwnerSnapshot[];
  /** The connection has taken all of them, or is gone. */
  readonly end: () => void;
}

export class LargeAnswers {
  readonly #limitBytes: number;
  readonly #after: Clock['after'];
  readonly #shares = new Map<ClientConnection, Share>();
  /** How many answers that wait have each shared snapshot. Its bytes count once. */
  readonly #holders = new Map<OwnerSnapshot, number>();
  #waiting = 0;
  /** Sessions whose next answer waits for its turn, in order. */
  readonly #queue = new Set<ClientConnection>();
  /** Sessions that take an answer now, with the end of the time for which they count. */
  readonly #taking = new Map<ClientConnection, () => void>();
  #restDue = 0;
  #resting = false;

  constructor(limitBytes: number, after: Clock['after']) {
    this.#limitBytes = limitBytes;
    this.#after = after;
  }

  get isNearlyFull(): boolean {
    return this.#waiting > this.#limitBytes * NEARLY;
  }

  /** An answer that is larger than the limit is sent alone. */
  fits({ bytes, shared }: LargeAnswer): boolean {
    const more = shared !== undefined && this.#holders.has(shared) ? bytes - shared.bytes : bytes;
    return this.#waiting === 0 || this.#waiting + more <= this.#limitBytes;
  }

  /** Writes the answer to the connection, at once or in its turn. It counts until the socket has taken it. */
  write(connection: ClientConnection, answer: LargeAnswer): void {
    if (connection.closed) return;
    const isLarge = answer.bytes > TURN_BYTES;
    if (connection.isHeldBack || (isLarge && !this.#hasTurn)) {
      this.#count(connection, answer);
      connection.holdBack(answer.parts, answer.bytes);
      this.#queue.add(connection);
      return;
    }
    connection.writeLarge(answer.parts, answer.bytes);
    if (!connection.stream.writableNeedDrain) {
      if (isLarge) this.#rest(answer.bytes);
      return;
    }
    this.#count(connection, answer);
    if (isLarge) this.#taken(connection, answer.bytes);
  }

  get #hasTurn(): boolean {
    return !this.#resting && this.#queue.size === 0 && this.#taking.size < AT_ONCE;
  }

  #next(): void {
    while (!this.#resting && this.#taking.size < AT_ONCE) {
      const [first] = this.#queue;
      if (first === undefined) return;
      this.#queue.delete(first);
      if (first.closed) continue;
      const bytes = first.writeHeldBack();
      if (first.isHeldBack) this.#queue.add(first);
      if (first.stream.writableNeedDrain) this.#taken(first, bytes);
      else {
        this.#rest(bytes);
        if (!first.isHeldBack) this.#shares.get(first)?.end();
      }
    }
  }

  /** The socket has begun to take an answer of so many bytes. */
  #taken(connection: ClientConnection, bytes: number): void {
    this.#taking.get(connection)?.();
    this.#taking.set(
      connection,
      this.#after(HOLD_MS, () => this.#letGo(connection)),
    );
    this.#rest(bytes);
  }

  #letGo(connection: ClientConnection): void {
    const cancel = this.#taking.get(connection);
    if (cancel === undefined) return;
    cancel();
    this.#taking.delete(connection);
    this.#next();
  }

  #rest(bytes: number): void {
    this.#restDue += Math.min(bytes, KERNEL_BYTES);
    if (this.#resting || this.#restDue < REST_BYTES) return;
    this.#resting = true;
    const ms = this.#restDue / REST_BYTES;
    this.#restDue = 0;
    this.#after(ms, () => {
      this.#resting = false;
      this.#next();
    });
  }

  #count(connection: ClientConnection, { bytes, shared }: LargeAnswer): void {
    let share = this.#shares.get(connection);
    if (share === undefined) {
      share = this.#shareOf(connection);
      this.#shares.set(connection, share);
    }
    let own = bytes;
    if (shared !== undefined) {
      const holders = this.#holders.get(shared) ?? 0;
      this.#holders.set(shared, holders + 1);
      share.snapshots.push(shared);
      own -= shared.bytes;
      if (holders === 0) this.#waiting += shared.bytes;
    }
    share.bytes += own;
    this.#waiting += own;
  }

  #shareOf(connection: ClientConnection): Share {
    const { stream } = connection;
    const end = (): void => {
      stream.off('drain', drained);
      stream.off('close', end);
      this.#queue.delete(connection);
      this.#release(connection);
      this.#letGo(connection);
    };
    const drained = (): void => {
      if (connection.isHeldBack) this.#letGo(connection);
      else end();
    };
    stream.on('drain', drained);
    stream.on('close', end);
    return { bytes: 0, snapshots: [], end };
  }

  #release(connection: ClientConnection): void {
    const share = this.#shares.get(connection);
    if (share === undefined) return;
    this.#shares.delete(connection);
    this.#waiting -= share.bytes;
    for (const shared of share.snapshots) {
      const holders = (this.#holders.get(shared) ?? 1) - 1;
      if (holders > 0) this.#holders.set(shared, holders);
      else {
        this.#holders.delete(shared);
        this.#waiting -= shared.bytes;
      }
    }
  }
}
