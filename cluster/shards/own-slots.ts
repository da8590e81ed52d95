// The live workers of this node: the session of each and the link to it, and which of them are busy with a
// claim or a hand-over, since each worker does one at a time. This class starts no workers.
import type { SessionId } from '../../actors/storage/store.ts';
import type { OwnerLink } from './owner-link.ts';

export interface OwnSlot {
  readonly session: SessionId;
  readonly link: OwnerLink;
}

export class OwnSlots {
  readonly #bySlot = new Map<number, OwnSlot>();
  readonly #occupied = new Map<number, Promise<void>>();
  /** Rises whenever a worker comes up or goes down. */
  revision = 0;

  up(slot: number, session: SessionId, link: OwnerLink): void {
    this.#bySlot.set(slot, { session, link });
    this.revision++;
  }

  down(slot: number): OwnSlot | undefined {
    const lost = this.#bySlot.get(slot);
    this.#bySlot.delete(slot);
    this.#occupied.delete(slot);
    this.revision++;
    return lost;
  }

  get(slot: number): OwnSlot | undefined {
    return this.#bySlot.get(slot);
  }

  get size(): number {
    return this.#bySlot.size;
  }

  all(): Iterable<readonly [slot: number, own: OwnSlot]> {
    return this.#bySlot;
  }

  /** Undefined if the session belongs to no worker of this node. */
  slotOf(session: SessionId): number | undefined {
    for (const [slot, own] of this.#bySlot) if (own.session === session) return slot;
    return undefined;
  }

  has(session: SessionId): boolean {
    return this.slotOf(session) !== undefined;
  }

  isLink(link: OwnerLink): boolean {
    for (const own of this.#bySlot.values()) if (own.link === link) return true;
    return false;
  }

  /** The claim or hand-over under way in the slot. Undefined if there is none. */
  busyWith(slot: number): Promise<void> | undefined {
    return this.#occupied.get(slot);
  }

  /** Marks the slot as busy until `act` is done. `act` never rejects. */
  occupy(slot: number, act: () => Promise<void>): void {
    const done = act().finally(() => {
      // The slot may be busy with the work of a newer worker by then.
      if (this.#occupied.get(slot) === done) this.#occupied.delete(slot);
    });
    this.#occupied.set(slot, done);
  }
}
