// Pins. An operator pins a document, an organisation or a shard to a node, and optionally to one of the
// node's worker slots, in the configuration or by `troupe cluster pin` and `move`. A pin overrides where a
// shard is placed, never which shard a document is in: that is a hash of its name on which every process must
// agree for ever. If it depended on pins, two nodes with different pins would each consider themselves the
// owner of one document.
//
// So a pin moves whole shards, together with all other documents in them:
// - `org/doc`: the document's shard, 1/4096 of all documents.
// - `org`: the shards that hold its documents now, as the caller reads them from the store. This suits a
//   small organisation. An organisation with thousands of documents is in all shards; the shards past
//   PINNED_ORG_SHARDS stay with the ring, which is reported. A new document is covered at the next reading.
// - `shard:N`: that shard.
//
// A pin to a node that is not a member waits: its shards stay with the ring until the node joins.
import { SHARDS, shardOf } from '../../actors/shard.ts';
import type { PinRow } from '../../actors/storage/store.ts';
import type { Placement, RingNode } from './ring.ts';

export interface Pin {
  /** `org/doc`, `org`, or `shard:N`. */
  readonly match: string;
  readonly node: string;
  /**
   * Worker slot of the node, from 0. If it is omitted, or the node does not have the slot, the node chooses.
   */
  readonly slot?: number;
}

export interface PinnedShard {
  readonly node: string;
  readonly slot?: number;
  readonly pin: Pin;
}

export type PinProblem =
  | { readonly pin: Pin; readonly problem: 'node-away' }
  /** Another pin holds `shards` of its shards: a narrower pin, or a pin earlier in the list. */
  | { readonly pin: Pin; readonly problem: 'shard-taken'; readonly shards: number }
  /** The organisation is in `shards` more shards than a pin may move. */
  | { readonly pin: Pin; readonly problem: 'too-wide'; readonly shards: number };

export interface ResolvedPins {
  readonly shards: ReadonlyMap<number, PinnedShard>;
  readonly problems: readonly PinProblem[];
}

/** Shards that one pin of an organisation may move: a sixteenth of all. */
export const PINNED_ORG_SHARDS = SHARDS / 16;

const SHARD = /^shard:(\d{1,4})$/;

/** The shard of a `shard:N` pin. Undefined for other pins. */
export function shardOfMatch(match: string): number | undefined {
  const [, digits] = SHARD.exec(match) ?? [];
  return digits !== undefined && Number(digits) < SHARDS ? Number(digits) : undefined;
}

export const matchOfShard = (shard: number): string => `shard:${shard}`;

/** The organisation of an `org` pin. Undefined for other pins. */
export const orgOfMatch = (match: string): string | undefined => (/[/:]/.test(match) ? undefined : match);

/** Operators' pins come before those of the configuration, and replace those with the same match. */
export function mergePins(configured: readonly Pin[], operators: readonly PinRow[]): readonly Pin[] {
  const set = operators.map(({ match, node, slot }) => ({ match, node, ...(slot === null ? {} : { slot }) }));
  const matches = new Set(set.map(({ match }) => match));
  return [...set, ...configured.filter(({ match }) => !matches.has(match))];
}

/**
 * Pins of shards come before pins of documents, and these before pins of organisations; within each kind the
 * earlier pin wins. `shardsOfOrg` returns the shards that hold documents of an organisation; it is called
 * only for pins of organisations.
 */
export function resolvePins(
  pins: readonly Pin[],
  members: readonly Pick<RingNode, 'name'>[],
  shardsOfOrg: (org: string) => Iterable<number>,
): ResolvedPins {
  const names = new Set(members.map(({ name }) => name));
  const shards = new Map<number, PinnedShard>();
  const problems: PinProblem[] = [];
  for (const pin of [...pins].sort((a, b) => breadthOf(a) - breadthOf(b))) {
    if (!names.has(pin.node)) {
      problems.push({ pin, problem: 'node-away' });
      continue;
    }
    const all = shardsOfPin(pin, shardsOfOrg);
    const wide = all.length - PINNED_ORG_SHARDS;
    if (wide > 0) problems.push({ pin, problem: 'too-wide', shards: wide });
    const taken = claim(shards, all.slice(0, PINNED_ORG_SHARDS), pin);
    if (taken > 0) problems.push({ pin, problem: 'shard-taken', shards: taken });
  }
  return { shards, problems };
}

/** The placement with each pinned shard on the node of its pin. */
export function applyPins(placement: Placement, { shards }: ResolvedPins): Placement {
  return placement.map((node, shard) => shards.get(shard)?.node ?? node);
}

/** The node of each pinned shard, for `rebalance`. */
export function pinnedNodes({ shards }: ResolvedPins): ReadonlyMap<number, string> {
  return new Map([...shards].map(([shard, { node }]) => [shard, node]));
}

function breadthOf({ match }: Pin): number {
  if (match.includes('/')) return 1;
  return orgOfMatch(match) === undefined ? 0 : 2;
}

/** Sorted and without duplicates, so that the store's order does not matter. */
function shardsOfPin(pin: Pin, shardsOfOrg: (org: string) => Iterable<number>): number[] {
  if (pin.match.includes('/')) return [shardOf(pin.match)];
  const org = orgOfMatch(pin.match);
  if (org !== undefined) return [...new Set(shardsOfOrg(org))].sort((a, b) => a - b);
  const shard = shardOfMatch(pin.match);
  return shard === undefined ? [] : [shard];
}

/**
 * Assigns the shards to the pin. Returns how many have another pin already; two pins with the same target do
 * not conflict.
 */
function claim(shards: Map<number, PinnedShard>, wanted: readonly number[], pin: Pin): number {
  let taken = 0;
  for (const shard of wanted) {
    const other = shards.get(shard);
    if (other === undefined) {
      const { node, slot } = pin;
      shards.set(shard, slot === undefined ? { node, pin } : { node, slot, pin });
    } else if (other.node !== pin.node || other.slot !== pin.slot) taken++;
  }
  return taken;
}
