// Counts the bytes of snapshots and other large answers that wait in the sockets of the whole node, and
// bounds them together. Each session bounds the share of its own reader.
import type { Session } from '../session.ts';

/** Part of the limit above which owners are asked for no further documents. */
const NEARLY = 7 / 8;

export class LargeAnswers {
  private readonly limitBytes: number;
  private readonly shares = new Map<Session, number>();
  private waiting = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get isNearlyFull(): boolean {
    return this.waiting > this.limitBytes * NEARLY;
  }

  /** An answer that is larger than the limit is sent alone. */
  fits(bytes: number): boolean {
    return this.waiting === 0 || this.waiting + bytes <= this.limitBytes;
  }

  /**
   * Counts an answer that has been written to this session. It counts until the socket has taken it, if the
   * socket did not take it at once.
   */
  written(session: Session, bytes: number): void {
    const { stream } = session;
    if (!stream.writableNeedDrain) return;
    const share = this.shares.get(session);
    this.shares.set(session, (share ?? 0) + bytes);
    this.waiting += bytes;
    if (share !== undefined) return;
    const release = (): void => {
      this.waiting -= this.shares.get(session) ?? 0;
      this.shares.delete(session);
      stream.off('drain', release);
      stream.off('close', release);
    };
    stream.on('drain', release);
    stream.on('close', release);
  }
}
