// Plans which node should have each shard, from the members, pins and owners of the view. A plan is kept
// until the view changes by more than the moves of that plan. The planner moves nothing.
import type { Clock } from '../../actors/clock.ts';
import { SHARDS } from '../../actors/shard.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Lease } from '../liveness/lease-store.ts';
import type { Member } from '../liveness/members.ts';
import { pinnedNodes, type ResolvedPins } from './pins.ts';
import { rebalance } from './rebalance.ts';
import type { Placement } from './ring.ts';
import { keyOf, type Rings } from './rings.ts';

/** A placement, with the members (`key`), pins and owners (`current`) that it was made from. */
interface Plan {
  readonly key: string;
  readonly pinsRevision: number;
  readonly current: Placement;
  /** Revision of the view for which the plan was last found valid. */
  revision: number;
  readonly pins: ResolvedPins;
  readonly placement: Placement;
}

export interface PlannerOptions {
  readonly view: ClusterView;
  /** The name of this node. */
  readonly node: string;
  readonly weight: number;
  readonly rings: Rings;
  readonly clock: Clock;
  /** The state of this node. */
  readonly state: () => Lease['state'];
}

/** How long a node must have been live before shards are moved to it. */
const STEADY_MS = 3000;

export class Planner {
  readonly #options: PlannerOptions;
  #plan: Plan | undefined;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  wanted(): Pick<Plan, 'pins' | 'placement'> {
    const { view, rings } = this.#options;
    const members = this.placeable();
    const key = keyOf(members);
    const plan = this.#plan;
    const { revision } = view;
    if (plan?.key === key && plan.revision === revision) return plan;
    const pinsRevision = view.pinBoard.revision;
    const current = view.owners();
    if (plan?.key === key && plan.pinsRevision === pinsRevision && isOnItsWay(plan, current)) {
      plan.revision = revision;
      return plan;
    }
    const ring = rings.of(members);
    const pins = view.pinBoard.resolve(members);
    const placement = rebalance(ring, current, pinnedNodes(pins));
    this.#plan = { key, pinsRevision, pins, placement, current, revision };
    return this.#plan;
  }

  /** Live members that may get shards, this node included. */
  placeable(): readonly { readonly name: string; readonly weight: number }[] {
    const { view, clock, node, weight, state } = this.#options;
    const isEmpty = view.map.orphans === SHARDS;
    const others = [...view.members.all()]
      .filter(
        (member) =>
          takesShards(member) &&
          member.liveSince !== undefined &&
          (isEmpty || state() === 'draining' || clock.now() - member.liveSince >= STEADY_MS),
      )
      .map((member) => ({ name: member.node, weight: member.weight }));
    const all = state() === 'live' && view.own.size > 0 ? [{ name: node, weight }, ...others] : others;
    return all.filter((each, index) => all.findIndex(({ name }) => name === each.name) === index);
  }

  /** The other member of that name, if shards can be handed to it now. */
  memberFor(node: string | undefined): Member | undefined {
    if (node === undefined || node === this.#options.node) return undefined;
    for (const member of this.#options.view.members.all())
      if (member.node === node && takesShards(member)) return member;
    return undefined;
  }
}

const takesShards = ({ state, peer, workers }: Member): boolean =>
  state === 'live' && peer !== undefined && workers.size > 0;

/**
 * True if the owners differ from the plan's start only by moves of the plan. Planning anew would give the
 * same rest.
 */
function isOnItsWay({ placement, current }: Plan, now: Placement): boolean {
  for (let shard = 0; shard < SHARDS; shard++)
    if (now[shard] !== current[shard] && now[shard] !== placement[shard]) return false;
  return true;
}
