// Which node should have each shard, for the members, pins and owners that the picture has now. A plan is kept until
// the picture has changed by more than what carrying it out changes. It moves nothing.
import type { Clock } from '../actors/clock.ts';
import { SHARDS } from '../actors/shard.ts';
import type { Lease } from './lease-store.ts';
import type { Member } from './members.ts';
import type { Picture } from './picture.ts';
import { pinnedNodes, type ResolvedPins } from './pins.ts';
import { rebalance } from './rebalance.ts';
import type { Placement } from './ring.ts';
import { keyOf, type Rings } from './rings.ts';

/** What should be where, for these members (`key`), pins and owners (`current`). */
interface Plan {
  readonly key: string;
  readonly pinsRevision: number;
  readonly current: Placement;
  /** Of the picture that it was last found to fit. */
  revision: number;
  readonly pins: ResolvedPins;
  readonly placement: Placement;
}

export interface PlannerOptions {
  readonly picture: Picture;
  /** This one's. */
  readonly node: string;
  readonly weight: number;
  readonly rings: Rings;
  readonly clock: Clock;
  /** Of this node. */
  readonly state: () => Lease['state'];
}

/** A node gets shards from others when it has been live for so long. */
const STEADY_MS = 3000;

export class Planner {
  private readonly options: PlannerOptions;
  private plan: Plan | undefined;

  constructor(options: PlannerOptions) {
    this.options = options;
  }

  wanted(): Pick<Plan, 'pins' | 'placement'> {
    const { picture, rings } = this.options;
    const members = this.placeable();
    const key = keyOf(members);
    const { plan } = this;
    const { revision } = picture;
    if (plan?.key === key && plan.revision === revision) return plan;
    const pinsRevision = picture.pins.revision;
    const current = picture.owners();
    if (plan?.key === key && plan.pinsRevision === pinsRevision && isOnItsWay(plan, current)) {
      plan.revision = revision;
      return plan;
    }
    const ring = rings.of(members);
    const pins = picture.pins.resolve(members);
    const placement = rebalance(ring, current, pinnedNodes(pins));
    this.plan = { key, pinsRevision, pins, placement, current, revision };
    return this.plan;
  }

  /** Live members, this one included, that may get shards. */
  placeable(): readonly { readonly name: string; readonly weight: number }[] {
    const { picture, clock, node, weight, state } = this.options;
    const isEmpty = picture.map.orphans === SHARDS;
    const others = [...picture.members.all()]
      .filter(
        (member) =>
          takesShards(member) &&
          member.liveSince !== undefined &&
          (isEmpty || state() === 'draining' || clock.now() - member.liveSince >= STEADY_MS),
      )
      .map((member) => ({ name: member.node, weight: member.weight }));
    const all = state() === 'live' && picture.own.size > 0 ? [{ name: node, weight }, ...others] : others;
    return all.filter((each, index) => all.findIndex(({ name }) => name === each.name) === index);
  }

  /** Another member of that name that shards can be handed to now. */
  memberFor(node: string | undefined): Member | undefined {
    if (node === undefined || node === this.options.node) return undefined;
    for (const member of this.options.picture.members.all())
      if (member.node === node && takesShards(member)) return member;
    return undefined;
  }
}

const takesShards = ({ state, peer, workers }: Member): boolean =>
  state === 'live' && peer !== undefined && workers.size > 0;

/** What was carried out of a plan leaves its rest, which planning anew would give as well. */
function isOnItsWay({ placement, current }: Plan, now: Placement): boolean {
  for (let shard = 0; shard < SHARDS; shard++)
    if (now[shard] !== current[shard] && now[shard] !== placement[shard]) return false;
  return true;
}
