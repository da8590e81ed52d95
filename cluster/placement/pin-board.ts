// The pins that a node knows: those of its configuration under those that operators have set, and the shards
// that hold documents of the pinned organisations. It reads the database when asked. The controller decides
// when shards move.
import type { ControlStore } from '../../actors/storage/store.ts';
import { mergePins, orgOfMatch, type Pin, type ResolvedPins, resolvePins } from './pins.ts';
import type { RingNode } from './ring.ts';

export interface KnownPins {
  readonly pins: readonly Pin[];
  readonly orgShards: ReadonlyMap<string, readonly number[]>;
}

export const resolveKnown = (
  { pins, orgShards }: KnownPins,
  members: readonly Pick<RingNode, 'name'>[],
): ResolvedPins => resolvePins(pins, members, (org) => orgShards.get(org) ?? []);

/** Runs two queries, or one if no organisation is pinned. */
export async function readPins(
  store: Pick<ControlStore, 'pins' | 'orgShards'>,
  configured: readonly Pin[],
): Promise<KnownPins> {
  const pins = mergePins(configured, await store.pins());
  const orgs = new Set(pins.flatMap(({ match }) => orgOfMatch(match) ?? []));
  return { pins, orgShards: orgs.size === 0 ? new Map() : await store.orgShards([...orgs]) };
}

export interface PinBoardOptions {
  readonly store: Pick<ControlStore, 'pins' | 'orgShards'>;
  readonly configured: readonly Pin[];
  /** The pins have changed, and another plan is needed. */
  readonly onChange: () => void;
  readonly onFailed: (error: unknown) => void;
}

export class PinBoard {
  readonly #options: PinBoardOptions;
  #known: KnownPins;
  #text = '';
  #reading: Promise<void> | undefined;
  #again = false;
  /** Rises when any pin or any organisation's shards have changed. */
  revision = 0;

  constructor(options: PinBoardOptions) {
    this.#options = options;
    this.#known = { pins: options.configured, orgShards: new Map() };
  }

  resolve(members: readonly Pick<RingNode, 'name'>[]): ResolvedPins {
    return resolveKnown(this.#known, members);
  }

  /**
   * Reads the pins anew, one reading at a time. A call during a reading causes another one after it. Never
   * rejects.
   */
  read(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#readAll().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readAll(): Promise<void> {
    const { store, configured, onChange, onFailed } = this.#options;
    do {
      this.#again = false;
      try {
        const known = await readPins(store, configured);
        const text = JSON.stringify([known.pins, [...known.orgShards].sort(byOrg)]);
        if (text === this.#text) continue;
        this.#known = known;
        this.#text = text;
        this.revision++;
        onChange();
      } catch (error) {
        onFailed(error);
      }
    } while (this.#again);
  }
}

const byOrg = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);
