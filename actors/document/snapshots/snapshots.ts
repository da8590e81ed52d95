// Decides when a document's log is worth a snapshot, and makes one at a time. A small document is written
// here, at its head. A large one is folded from its log on another thread, which holds up no other
// document. In both cases a snapshot leaves when its version is durable.
//
// A snapshot is worth writing when the log since the last one exceeds a share of the document, also when
// the document goes idle. All snapshots ever written are then in proportion to the log. The rule also
// bounds the log that a cold document reads.
import type { LoadedDocument } from '../../storage/store.ts';
import type { Document } from '../document.ts';
import type { ActorLimits, DocumentEffects, MadeSnapshot } from '../effects.ts';

/** Bytes of log from which a small document that goes idle is worth a snapshot. */
const IDLE_SNAPSHOT_BYTES = 4096;
/** Up to this size, writing a document costs less than reading its log and applying it again. */
const SMALL_BYTES = 64 * 1024;

export class Snapshots {
  readonly #effects: DocumentEffects;
  readonly #limits: ActorLimits;
  /** The document's head when it was loaded. */
  readonly #loadedHead: number;
  /** Version and bytes of the newest snapshot known here. */
  #version: number;
  #bytes: number;
  /**
   * A snapshot failed. Only the store knows whether it was written nevertheless, or whether a newer one
   * exists.
   */
  #doubtful = false;
  #bytesSince: number;
  #folding = false;
  /** A snapshot that has been made and is not durable yet. */
  #waiting: { readonly version: number; readonly send: () => void } | undefined;

  constructor(
    effects: DocumentEffects,
    limits: ActorLimits,
    { snapshotVersion, snapshot, deltas }: LoadedDocument,
  ) {
    this.#effects = effects;
    this.#limits = limits;
    this.#loadedHead = deltas.at(-1)?.version ?? snapshotVersion;
    this.#version = snapshotVersion;
    this.#bytes = snapshot?.byteLength ?? 0;
    this.#bytesSince = deltas.reduce((bytes, { op }) => bytes + op.byteLength, 0);
  }

  get isFolding(): boolean {
    return this.#folding;
  }

  logged(bytes: number): void {
    this.#bytesSince += bytes;
  }

  /** Call it after `document.durable` has risen. */
  foldWhenDue(document: Document): void {
    if (this.#waiting !== undefined && this.#waiting.version <= document.durable) {
      const { send } = this.#waiting;
      this.#waiting = undefined;
      send();
    }
    this.#foldAbove(document, this.#limits.snapshotMinBytes);
  }

  foldWhenIdle(document: Document): void {
    this.#foldAbove(document, Math.min(IDLE_SNAPSHOT_BYTES, this.#limits.snapshotMinBytes));
  }

  #foldAbove(document: Document, minBytes: number): void {
    if (this.#folding || document.durable <= this.#version) return;
    // Until it is merged, a yjs document is as large in memory as its log. The last snapshot tells more
    // about its size.
    const size = document.kind.name === 'yjs' ? this.#bytes : document.snapshotBytes;
    if (this.#bytesSince <= Math.max(minBytes, this.#limits.snapshotRatio * size)) return;
    const made = this.#make(document);
    const version = made === undefined ? document.durable : document.head;
    const counted = this.#bytesSince;
    this.#folding = true;
    const renew = made === undefined ? document.renewal(version) : undefined;
    const send = (): void =>
      this.#effects.fold(version, made, (folded) => {
        this.#folding = false;
        this.#doubtful = folded === undefined;
        if (folded !== undefined) {
          this.#version = version;
          this.#bytes = folded.bytes;
          if (folded.state !== undefined) renew?.(folded.state);
        }
        // A failed snapshot is tried again after as much log again.
        this.#bytesSince -= counted;
      });
    if (version <= document.durable) send();
    else this.#waiting = { version, send };
  }

  /**
   * Writes the document at its head if that is cheap. A yjs document is folded on another thread, which
   * also collects its garbage.
   */
  #make(document: Document): MadeSnapshot | undefined {
    const { kind, head, snapshotBytes } = document;
    if (this.#doubtful) return undefined;
    // Only the log knows the epoch under which the loaded head was committed.
    if (kind.name === 'yjs' || snapshotBytes > SMALL_BYTES || head === this.#loadedHead) return undefined;
    const clients = document.clientsAbove(this.#version);
    const snapshot = document.snapshot();
    if (clients === undefined || typeof snapshot !== 'string') return undefined;
    const state = new TextEncoder().encode(snapshot);
    return { previous: this.#version, logged: this.#bytesSince, state, clients };
  }
}
