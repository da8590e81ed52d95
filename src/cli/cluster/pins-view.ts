// Pins as commands show them: their source, the shards that they hold, and their problems.
import type { ControlStore } from '../../../actors/storage/store.ts';
import { readPins, resolveKnown } from '../../../cluster/placement/pin-board.ts';
import { PINNED_ORG_SHARDS, type Pin, type PinProblem } from '../../../cluster/placement/pins.ts';
import type { Config } from '../../../config/schema.ts';
import { plural, table } from '../output.ts';
import type { NodeOnRecord } from './nodes.ts';

export interface PinView {
  readonly match: string;
  readonly node: string;
  readonly slot: number | null;
  readonly source: 'operator' | 'configuration';
  /** The number of shards that the pin holds. */
  readonly shards: number;
  readonly problems: readonly string[];
}

/** In order of priority within each kind. The kinds (shards, documents, organisations) may be mixed. */
export async function viewPins(
  store: ControlStore,
  config: Config,
  nodes: readonly NodeOnRecord[],
): Promise<readonly PinView[]> {
  const live = nodes.filter(({ state }) => state === 'live');
  const known = await readPins(store, config.cluster.pins);
  const { shards, problems } = resolveKnown(
    known,
    live.map(({ node }) => ({ name: node })),
  );
  const held = [...shards.values()];
  const configured = new Set<Pin>(config.cluster.pins);
  return known.pins.map((pin) => ({
    match: pin.match,
    node: pin.node,
    slot: pin.slot ?? null,
    source: configured.has(pin) ? 'configuration' : 'operator',
    shards: held.filter((each) => each.pin === pin).length,
    problems: [...problems.filter((problem) => problem.pin === pin).map(told), ...slotProblem(pin, live)],
  }));
}

export function pinTable(pins: readonly PinView[]): string {
  const head = ['PIN', 'NODE', 'SLOT', 'SET BY', 'SHARDS', 'PROBLEMS'];
  const rows = pins.map(({ match, node, slot, source, shards, problems }) => [
    match,
    node,
    slot === null ? 'any' : String(slot),
    source,
    shards,
    problems.length === 0 ? 'none' : problems.join('; '),
  ]);
  return table([head, ...rows]);
}

function told(problem: PinProblem): string {
  switch (problem.problem) {
    case 'node-away':
      return `${problem.pin.node} is not there`;
    case 'shard-taken':
      return `${plural(problem.shards, 'shard')} pinned elsewhere`;
    case 'too-wide':
      return `${plural(problem.shards, 'shard')} above the ${PINNED_ORG_SHARDS} of an organisation stay where they are`;
    default:
      throw new Error(`unknown problem ${String(problem satisfies never)}`);
  }
}

function slotProblem({ node, slot }: Pin, live: readonly NodeOnRecord[]): string[] {
  const there = live.filter((each) => each.node === node);
  if (slot === undefined || there.length === 0 || there.some(({ workers }) => workers.has(slot))) return [];
  return [`${node} has no worker ${slot}`];
}
