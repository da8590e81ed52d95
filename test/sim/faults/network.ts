// Faults between nodes. A cut direction holds back all frames, as TCP does. A refusing one resets
// connections.
import { between } from '../world.ts';
import type { FaultKind } from './fault-kind.ts';
import type { Faults } from './faults.ts';

export const NETWORK: readonly FaultKind[] = [
  {
    name: 'cut',
    weight: 2,
    strike: (faults, random) => {
      const pair = faults.pair();
      if (pair === undefined) return undefined;
      const [a, b] = [pair[0].name, pair[1].name];
      const ms = faults.duration(200, 10_000);
      const both = random() < 0.5;
      cut(faults, [a], [b], both, ms);
      return `${a} ${both ? '-/-' : '-/>'} ${b} for ${ms}`;
    },
  },
  {
    // The node is cut off from peers and Redis only, so it still writes while the others declare it dead.
    name: 'isolation',
    weight: 2,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      const ms = faults.duration(200, 12_000);
      const { redis } = faults.world;
      const reaches = faults.pick(['all else', 'the database', 'nothing']);
      const others = faults.nodes.filter((other) => other !== node);
      const both = random() < 0.8;
      cut(faults, [node.name], names(others), both, ms);
      if (reaches !== 'all else') redis.setAway('silent', node.name);
      if (reaches === 'nothing') node.setReach('none');
      faults.mend(ms, () => {
        if (reaches !== 'all else') redis.setAway(undefined, node.name);
        if (reaches === 'nothing') node.setReach('all');
      });
      return `${node.name}${both ? '' : ', heard by nobody,'} reaches ${reaches} for ${ms}`;
    },
  },
  {
    // Each side has witnesses, so both may fence the other.
    name: 'split',
    weight: 1,
    strike: (faults) => {
      const all = faults.shuffled(faults.nodes);
      const half = Math.floor(all.length / 2);
      const ms = faults.duration(500, 10_000);
      const [some, others] = [names(all.slice(0, half)), names(all.slice(half))];
      cut(faults, some, others, true, ms);
      return `${some} -/- ${others} for ${ms}`;
    },
  },
  {
    // A firewall rejects connections: each node takes the other for dead at once, and both are wrong.
    name: 'refused both ways',
    weight: 1.5,
    strike: (faults) => {
      const pair = faults.pair();
      if (pair === undefined) return undefined;
      const [a, b] = [pair[0].name, pair[1].name];
      const { fabric } = faults.world;
      const ms = faults.duration(200, 6000);
      fabric.refuse(a, b);
      fabric.drop(a, b);
      faults.mend(ms, () => fabric.admit(a, b));
      return `${a} and ${b} for ${ms}`;
    },
  },
  {
    name: 'broken links',
    weight: 1,
    strike: (faults) => {
      const pair = faults.pair();
      if (pair === undefined) return undefined;
      faults.world.fabric.drop(pair[0].name, pair[1].name);
      return `${pair[0].name} ${pair[1].name}`;
    },
  },
  {
    name: 'slow links',
    weight: 1,
    strike: (faults, random) => {
      const pair = faults.pair();
      if (pair === undefined) return undefined;
      const [a, b] = pair;
      const most = between(random, [20, 420]);
      const { fabric } = faults.world;
      fabric.setDelay(a.name, b.name, { minMs: 0.1, maxMs: most });
      faults.mend(faults.duration(500, 8000), () => fabric.setDelay(a.name, b.name, undefined));
      return `${a.name} -> ${b.name} up to ${most}`;
    },
  },
];

/** Cuts the way from each node of `from` to each node of `to`. */
export function cut(
  faults: Faults,
  ones: readonly string[],
  others: readonly string[],
  both: boolean,
  ms: number,
): void {
  const { fabric } = faults.world;
  const ways = ones.flatMap((one) =>
    others.flatMap((other) => [[one, other] as const, ...(both ? [[other, one] as const] : [])]),
  );
  for (const [from, to] of ways) fabric.cut(from, to);
  faults.mend(ms, () => {
    for (const [from, to] of ways) fabric.heal(from, to);
  });
}

const names = (nodes: readonly { readonly name: string }[]): readonly string[] =>
  nodes.map(({ name }) => name);
