// When a document's log is worth a snapshot, and that one at a time is made. Folding itself happens off
// this thread, from the log.
import type { Document } from './document.ts';
import type { ActorLimits, Hand } from './effects.ts';

/** Log since the last snapshot that is worth one when a document goes idle. */
const IDLE_SNAPSHOT_BYTES = 4096;

export class Snapshots {
  private readonly hand: Hand;
  private readonly limits: ActorLimits;
  /** The newest snapshot's. */
  private version: number;
  private bytesSince: number;
  private folding = false;

  constructor(hand: Hand, limits: ActorLimits, version: number, bytesSince: number) {
    this.hand = hand;
    this.limits = limits;
    this.version = version;
    this.bytesSince = bytesSince;
  }

  get isFolding(): boolean {
    return this.folding;
  }

  logged(bytes: number): void {
    this.bytesSince += bytes;
  }

  foldWhenDue(document: Document): void {
    const { snapshotMinBytes, snapshotRatio } = this.limits;
    this.foldAbove(document, Math.max(snapshotMinBytes, snapshotRatio * document.snapshotBytes));
  }

  foldWhenIdle(document: Document): void {
    this.foldAbove(document, IDLE_SNAPSHOT_BYTES);
  }

  private foldAbove(document: Document, due: number): void {
    if (this.folding || this.bytesSince <= due || document.durable <= this.version) return;
    const version = document.durable;
    const counted = this.bytesSince;
    this.folding = true;
    this.hand.fold(version, (bytes) => {
      this.folding = false;
      if (bytes !== undefined) this.version = version;
      // A failed one is tried again after as much again.
      this.bytesSince -= counted;
    });
  }
}
