// Snapshots and other large answers on their way to the sockets of the whole node. It bounds the bytes that
// wait in memory, and gives the answers turns: the kernel copies megabytes of an answer at once, and the
// thread would do nothing else while hundreds of them are written. Each session bounds the share of its own
// reader.
import type { Clock } from '../../../actors/clock.ts';
import type { Session } from '../session.ts';
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

/** The answers of one session that wait. */
interface Share {
  bytes: number;
  readonly snapshots: OwnerSnapshot[];
  /** The session has taken all of them, or is gone. */
  readonly end: () => void;
}

export class LargeAnswers {
  private readonly limitBytes: number;
  private readonly after: Clock['after'];
  private readonly shares = new Map<Session, Share>();
  /** How many answers that wait have each shared snapshot. Its bytes count once. */
  private readonly holders = new Map<OwnerSnapshot, number>();
  private waiting = 0;
  /** Sessions whose next answer waits for its turn, in order. */
  private readonly queue = new Set<Session>();
  /** Sessions that take an answer now, with the end of the time for which they count. */
  private readonly taking = new Map<Session, () => void>();
  private restDue = 0;
  private resting = false;

  constructor(limitBytes: number, after: Clock['after']) {
    this.limitBytes = limitBytes;
    this.after = after;
  }

  get isNearlyFull(): boolean {
    return this.waiting > this.limitBytes * NEARLY;
  }

  /** An answer that is larger than the limit is sent alone. */
  fits({ bytes, shared }: LargeAnswer): boolean {
    const more = shared !== undefined && this.holders.has(shared) ? bytes - shared.bytes : bytes;
    return this.waiting === 0 || this.waiting + more <= this.limitBytes;
  }

  /** Writes the answer to the session, at once or in its turn. It counts until the socket has taken it. */
  write(session: Session, answer: LargeAnswer): void {
    if (session.closed) return;
    const isLarge = answer.bytes > TURN_BYTES;
    if (session.isHeldBack || (isLarge && !this.hasTurn)) {
      this.count(session, answer);
      session.holdBack(answer.parts, answer.bytes);
      this.queue.add(session);
      return;
    }
    session.writeLarge(answer.parts, answer.bytes);
    if (!session.stream.writableNeedDrain) {
      if (isLarge) this.rest(answer.bytes);
      return;
    }
    this.count(session, answer);
    if (isLarge) this.taken(session, answer.bytes);
  }

  private get hasTurn(): boolean {
    return !this.resting && this.queue.size === 0 && this.taking.size < AT_ONCE;
  }

  private next(): void {
    while (!this.resting && this.taking.size < AT_ONCE) {
      const [first] = this.queue;
      if (first === undefined) return;
      this.queue.delete(first);
      if (first.closed) continue;
      const bytes = first.writeHeldBack();
      if (first.isHeldBack) this.queue.add(first);
      if (first.stream.writableNeedDrain) this.taken(first, bytes);
      else {
        this.rest(bytes);
        if (!first.isHeldBack) this.shares.get(first)?.end();
      }
    }
  }

  /** The socket has begun to take an answer of so many bytes. */
  private taken(session: Session, bytes: number): void {
    this.taking.get(session)?.();
    this.taking.set(
      session,
      this.after(HOLD_MS, () => this.letGo(session)),
    );
    this.rest(bytes);
  }

  private letGo(session: Session): void {
    const cancel = this.taking.get(session);
    if (cancel === undefined) return;
    cancel();
    this.taking.delete(session);
    this.next();
  }

  private rest(bytes: number): void {
    this.restDue += Math.min(bytes, KERNEL_BYTES);
    if (this.resting || this.restDue < REST_BYTES) return;
    this.resting = true;
    const ms = this.restDue / REST_BYTES;
    this.restDue = 0;
    this.after(ms, () => {
      this.resting = false;
      this.next();
    });
  }

  private count(session: Session, { bytes, shared }: LargeAnswer): void {
    let share = this.shares.get(session);
    if (share === undefined) {
      share = this.shareOf(session);
      this.shares.set(session, share);
    }
    let own = bytes;
    if (shared !== undefined) {
      const holders = this.holders.get(shared) ?? 0;
      this.holders.set(shared, holders + 1);
      share.snapshots.push(shared);
      own -= shared.bytes;
      if (holders === 0) this.waiting += shared.bytes;
    }
    share.bytes += own;
    this.waiting += own;
  }

  private shareOf(session: Session): Share {
    const { stream } = session;
    const end = (): void => {
      stream.off('drain', drained);
      stream.off('close', end);
      this.queue.delete(session);
      this.release(session);
      this.letGo(session);
    };
    const drained = (): void => {
      if (session.isHeldBack) this.letGo(session);
      else end();
    };
    stream.on('drain', drained);
    stream.on('close', end);
    return { bytes: 0, snapshots: [], end };
  }

  private release(session: Session): void {
    const share = this.shares.get(session);
    if (share === undefined) return;
    this.shares.delete(session);
    this.waiting -= share.bytes;
    for (const shared of share.snapshots) {
      const holders = (this.holders.get(shared) ?? 1) - 1;
      if (holders > 0) this.holders.set(shared, holders);
      else {
        this.holders.delete(shared);
        this.waiting -= shared.bytes;
      }
    }
  }
}
