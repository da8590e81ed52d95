// Bytes of snapshots and other large answers that wait in sockets for their readers, of the whole node.
// Each reader's own share is the session's business; here is the bound on all of them together.
import type { Session } from './session.ts';

/** Of the limit: above it nothing more is asked of owners. */
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

  /** One that is larger than the limit goes alone. */
  fits(bytes: number): boolean {
    return this.waiting === 0 || this.waiting + bytes <= this.limitBytes;
  }

  /** They have been written to this session; what its socket did not take at once counts until it has. */
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
