// Reads the owners of all shards from PostgreSQL when the map may differ from it: after news may have been
// missed, and while shards have no owner. The map says by itself which entries are newer.
import type { ControlStore } from '../../actors/storage/store.ts';
import type { ShardMap } from './shard-map.ts';

export class MapReading {
  readonly #store: Pick<ControlStore, 'orphans' | 'shardMap'>;
  readonly #map: ShardMap;
  /** True from the start: the map knows nothing yet. */
  #stale = true;

  constructor(store: Pick<ControlStore, 'orphans' | 'shardMap'>, map: ShardMap) {
    this.#store = store;
    this.#map = map;
  }

  /** True if an owner may have changed unnoticed since the last reading. */
  get isStale(): boolean {
    return this.#stale;
  }

  markStale(): void {
    this.#stale = true;
  }

  /**
   * Reads the map if it is stale, or if shards have no owner. Resolves to the shards whose owner has changed,
   * or to undefined if the map was not read.
   */
  async read(): Promise<readonly number[] | undefined> {
    const orphans = await this.#store.orphans();
    if (orphans.length === 0 && !this.#stale) return undefined;
    // A change during the reading makes the map stale again.
    this.#stale = false;
    try {
      return this.#map.applyRows(await this.#store.shardMap());
    } catch (error) {
      this.#stale = true;
      throw error;
    }
  }
}
