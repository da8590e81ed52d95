// `troupe cluster pin`, `unpin` and `move`: place documents, organisations and shards on nodes as operators
// want. They write the table of pins and notify the nodes, which move the shards.
import { pause, systemClock } from '../../../actors/clock.ts';
import { SHARDS } from '../../../actors/shard.ts';
import type { ControlStore, PinRow, SessionId } from '../../../actors/storage/store.ts';
import { encodeOperatorEvent } from '../../../cluster/operator-events.ts';
import { matchOfShard } from '../../../cluster/placement/pins.ts';
import { EXIT, type ExitCode, StartError } from '../../../config/fatal.ts';
import { showDuration } from '../../../config/keys/units.ts';
import type { Config } from '../../../config/schema.ts';
import { withCluster } from '../database.ts';
import { type Output, plural } from '../output.ts';
import { demandLive, type NodeOnRecord, readNodes, readShards } from './nodes.ts';
import { viewPins } from './pins-view.ts';

export interface PinOptions {
  readonly match: string;
  readonly node: string;
  readonly slot: number | undefined;
  /** Allows a pin to a node that is not there. */
  readonly force: boolean;
}

export function pin(config: Config, { match, node, slot, force }: PinOptions, io: Output): Promise<ExitCode> {
  return withCluster(config, async (store) => {
    const nodes = await readNodes(store);
    demandShard(match);
    if (!force) demandLive(node, nodes);
    await set(store, { match, node, slot: slot ?? null });
    const view = (await viewPins(store, config, nodes)).find((each) => each.match === match);
    const problems = view?.problems.map((problem) => ` (${problem})`).join('') ?? '';
    const place = slot === undefined ? node : `worker ${slot} of ${node}`;
    io.stdout.write(`${match} is pinned to ${place}: ${plural(view?.shards ?? 0, 'shard')}${problems}\n`);
    return EXIT.ok;
  });
}

export function unpin(config: Config, matches: readonly string[], io: Output): Promise<ExitCode> {
  return withCluster(config, async (store) => {
    const configured = (match: string) => config.cluster.pins.find((each) => each.match === match);
    for (const match of matches) {
      if (!(await store.removePin(match))) continue;
      await store.notify(encodeOperatorEvent({ type: 'pins' }));
      const below = configured(match);
      const then = below === undefined ? '' : `; that of the configuration, to ${below.node}, holds again`;
      io.stdout.write(`${match} is not pinned any more${then}\n`);
      return EXIT.ok;
    }
    const fixed = matches.some((match) => configured(match) !== undefined);
    throw new StartError(
      `no operator has pinned ${matches.join(' or ')}${fixed ? '; its pin stands in the configuration, cluster.pins' : ''}`,
    );
  });
}

export interface MoveOptions {
  readonly shard: number;
  readonly node: string;
  readonly timeoutMs: number;
}

const LOOK_EVERY_MS = 100;

export function move(config: Config, { shard, node, timeoutMs }: MoveOptions, io: Output): Promise<ExitCode> {
  return withCluster(config, async (store) => {
    const match = matchOfShard(shard);
    demandShard(match);
    demandLive(node, await readNodes(store));
    await set(store, { match, node, slot: null });
    const until = systemClock.now() + timeoutMs;
    for (;;) {
      const at = nodeOf(await readNodes(store), (await readShards(store)).owners[shard]);
      if (at === node) break;
      if (systemClock.now() >= until) {
        const where = at === undefined ? 'it has no owner' : `it is on ${at}`;
        throw new StartError(
          `shard ${shard} is not on ${node} after ${showDuration(timeoutMs)}: ${where}. Its pin stays`,
        );
      }
      await pause(systemClock, LOOK_EVERY_MS);
    }
    io.stdout.write(`Shard ${shard} is on ${node}, and stays until: troupe cluster unpin ${match}\n`);
    return EXIT.ok;
  });
}

async function set(store: ControlStore, row: PinRow): Promise<void> {
  await store.setPin(row);
  await store.notify(encodeOperatorEvent({ type: 'pins' }));
}

function demandShard(match: string): void {
  const [, number] = /^shard:(\d+)$/.exec(match) ?? [];
  if (number === undefined || Number(number) < SHARDS) return;
  throw new StartError(`there is no shard ${number}: shards are 0 to ${SHARDS - 1}`);
}

const nodeOf = (nodes: readonly NodeOnRecord[], owner: SessionId | undefined): string | undefined =>
  owner === undefined ? undefined : nodes.find(({ workers }) => [...workers.values()].includes(owner))?.node;
