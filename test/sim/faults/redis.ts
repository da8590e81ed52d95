// Faults of Redis, and of the ways to it.
import type { Random } from '../../../loadtest/clients/random-edits.ts';
import type { FaultKind } from './fault-kind.ts';
import type { Faults } from './faults.ts';

export const REDIS: readonly FaultKind[] = [
  {
    name: 'redis away',
    weight: 1,
    strike: (faults, random) => away(faults, random, faults.duration(200, 12_000)),
  },
  {
    name: 'redis away for long',
    weight: 0.5,
    strike: (faults, random) => away(faults, random, 8000 + faults.duration(0, 15_000)),
  },
  {
    name: 'redis out of reach',
    weight: 1,
    strike: (faults, random) => {
      const { redis } = faults.world;
      const node = faults.pick(faults.nodes);
      const ms = faults.duration(200, 10_000);
      redis.setAway(random() < 0.5 ? 'refused' : 'silent', node.name);
      faults.mend(ms, () => redis.setAway(undefined, node.name));
      return `${node.name} for ${ms}`;
    },
  },
  {
    name: 'redis emptied',
    weight: 0.5,
    strike: (faults) => {
      faults.world.redis.empty();
      return 'at once';
    },
  },
  {
    name: 'redis answers lost',
    weight: 0.5,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      const count = 1 + Math.floor(random() * 5);
      faults.world.redis.loseReplies(node.name, count);
      return `${node.name} ${count}`;
    },
  },
];

function away({ world, mend }: Faults, random: Random, ms: number): string {
  const { redis } = world;
  const how = random() < 0.5 ? 'refused' : 'silent';
  const isEmpty = random() < 0.5;
  redis.setAway(how);
  mend(ms, () => {
    if (isEmpty) redis.empty();
    redis.setAway(undefined);
  });
  return `${how} for ${ms}${isEmpty ? ', and empty' : ''}`;
}
