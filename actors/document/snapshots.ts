// When a document's log is worth a snapshot, and that one at a time is made. A document that is small is
// written down here, as it is at its head; a large one is folded from its log, off this thread, where that
// keeps no other document waiting. Either way a snapshot leaves when its version is durable.
//
// A snapshot is worth writing when the log since the last one exceeds a share of the document, also when the document
// goes idle: then all snapshots ever written are in proportion to the log. It also bounds what a cold document reads.
import type { LoadedDocument } from '../storage/store.ts';
import type { Document } from './document.ts';
import type { ActorLimits, Hand, MadeSnapshot } from './effects.ts';

/** A document that goes idle is worth a snapshot from so little log on, where it is small itself. */
const IDLE_SNAPSHOT_BYTES = 4096;
/**
 * Up to here writing the document down (0.3 ms) costs less than reading its log and applying it again, which is
 * a fifth of all that a server does under load (measured).
 */
const SMALL_BYTES = 64 * 1024;

export class Snapshots {
  private readonly hand: Hand;
  private readonly limits: ActorLimits;
  /** Of the document when it was loaded. */
  private readonly loadedHead: number;
  /** The newest snapshot's, as far as is known here. */
  private version: number;
  private bytes: number;
  /** One failed: whether it was written all the same, or another is newer, only the store knows. */
  private doubtful = false;
  private bytesSince: number;
  private folding = false;
  /** Made, and not durable yet. */
  private waiting: { readonly version: number; readonly send: () => void } | undefined;

  constructor(hand: Hand, limits: ActorLimits, { snapshotVersion, snapshot, deltas }: LoadedDocument) {
    this.hand = hand;
    this.limits = limits;
    this.loadedHead = deltas.at(-1)?.version ?? snapshotVersion;
    this.version = snapshotVersion;
    this.bytes = snapshot?.byteLength ?? 0;
    this.bytesSince = deltas.reduce((bytes, { op }) => bytes + op.byteLength, 0);
  }

  get isFolding(): boolean {
    return this.folding;
  }

  logged(bytes: number): void {
    this.bytesSince += bytes;
  }

  /** After `document.durable` has risen. */
  foldWhenDue(document: Document): void {
    if (this.waiting !== undefined && this.waiting.version <= document.durable) {
      const { send } = this.waiting;
      this.waiting = undefined;
      send();
    }
    this.foldAbove(document, this.limits.snapshotMinBytes);
  }

  foldWhenIdle(document: Document): void {
    this.foldAbove(document, Math.min(IDLE_SNAPSHOT_BYTES, this.limits.snapshotMinBytes));
  }

  private foldAbove(document: Document, minBytes: number): void {
    if (this.folding || document.durable <= this.version) return;
    // In memory a yjs document is as large as its log until it is merged: the last snapshot tells more of its size.
    const size = document.kind.name === 'yjs' ? this.bytes : document.snapshotBytes;
    if (this.bytesSince <= Math.max(minBytes, this.limits.snapshotRatio * size)) return;
    const made = this.make(document);
    const version = made === undefined ? document.durable : document.head;
    const counted = this.bytesSince;
    this.folding = true;
    const send = (): void =>
      this.hand.fold(version, made, (bytes) => {
        this.folding = false;
        this.doubtful = bytes === undefined;
        if (bytes !== undefined) {
          this.version = version;
          this.bytes = bytes;
        }
        // A failed one is tried again after as much again.
        this.bytesSince -= counted;
      });
    if (version <= document.durable) send();
    else this.waiting = { version, send };
  }

  /** The document at its head, where that is cheap; of a yjs document garbage is collected, off this thread. */
  private make(document: Document): MadeSnapshot | undefined {
    const { kind, head, snapshotBytes } = document;
    if (this.doubtful) return undefined;
    // Under which epoch the loaded head was committed only the log knows.
    if (kind.name === 'yjs' || snapshotBytes > SMALL_BYTES || head === this.loadedHead) return undefined;
    const clients = document.clientsAbove(this.version);
    const snapshot = document.snapshot();
    if (clients === undefined || typeof snapshot !== 'string') return undefined;
    const state = new TextEncoder().encode(snapshot);
    return { previous: this.version, logged: this.bytesSince, state, clients };
  }
}
