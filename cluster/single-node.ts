// The ownership of shards on a node without a cluster: the node owns all shards, spread evenly over its
// workers. A worker that starts again claims its share again. With other nodes, controller.ts does this.
import type { Clock } from '../actors/clock.ts';
import { SHARDS } from '../actors/shard.ts';
import type { OwnerLink, OwnerLinkListener } from './shards/owner-link.ts';
import type { Router } from './shards/router.ts';
import type { SlotListener } from './workers/slot-host.ts';
import type { Workers } from './workers/workers.ts';

export interface SingleNodeOptions {
  readonly slots: number;
  readonly router: Router;
  readonly listener: OwnerLinkListener;
  readonly clock: Clock;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  /** Called when another process has taken over the database. */
  readonly onFenced: () => void;
}

/** Delay between two attempts to claim the shards that are still unclaimed. */
const AGAIN_MS = 500;

export class SingleNode implements SlotListener {
  readonly #options: SingleNodeOptions;
  #workers: Pick<Workers, 'claim'> | undefined;
  readonly #links: (OwnerLink | undefined)[] = [];
  readonly #claimed = new Set<number>();
  #ready: () => void = () => undefined;
  #stopped = false;
  readonly #retries = new Map<number, () => void>();

  constructor(options: SingleNodeOptions) {
    this.#options = options;
  }

  /** Resolves when every shard has its owner. The workers report to this as their `slotListener`. */
  async serve(workers: Pick<Workers, 'start' | 'claim'>): Promise<void> {
    this.#workers = workers;
    const all = new Promise<void>((resolve) => {
      this.#ready = resolve;
    });
    await workers.start();
    await all;
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#retries.values()) cancel();
  }

  up(slot: number, _session: number, link: OwnerLink): void {
    this.#links[slot] = link;
    void this.#claim(slot, link, shardsOf(slot, this.#options.slots));
  }

  down(slot: number, link: OwnerLink): void {
    this.#links[slot] = undefined;
    this.#options.router.setOwner(shardsOf(slot, this.#options.slots), undefined);
    this.#options.listener.lost(link);
  }

  /** There is no other node to tell. */
  docFailed(): void {}

  quarantined(): void {}

  fenced(): void {
    this.#options.onFenced();
  }

  async #claim(slot: number, link: OwnerLink, shards: readonly number[]): Promise<void> {
    const { router, listener, clock, log } = this.#options;
    if (this.#stopped || this.#links[slot] !== link || this.#workers === undefined) return;
    let left = shards;
    try {
      const won = await this.#workers.claim(slot, shards);
      if (this.#links[slot] !== link) return;
      left = shards.filter((shard) => !won.has(shard));
      router.setOwner(won.keys(), link);
      for (const shard of won.keys()) this.#claimed.add(shard);
      listener.changed([...won.keys()]);
    } catch (error) {
      log('warn', 'shards could not be claimed yet', { slot, shards: shards.length, error: String(error) });
    }
    if (this.#stopped) return;
    if (left.length > 0)
      this.#retries.set(
        slot,
        clock.after(AGAIN_MS, () => void this.#claim(slot, link, left)),
      );
    else if (this.#claimed.size === SHARDS) this.#ready();
  }
}

function shardsOf(slot: number, slots: number): readonly number[] {
  const shards: number[] = [];
  for (let shard = slot; shard < SHARDS; shard += slots) shards.push(shard);
  return shards;
}
