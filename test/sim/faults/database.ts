// Faults of the database, and of the ways to it.
import { between } from '../world.ts';
import type { FaultKind } from './fault-kind.ts';

export const DATABASE: readonly FaultKind[] = [
  {
    // Both ways are cut, or only the way back: then statements take effect and their answers are lost.
    name: 'database out of reach',
    weight: 2,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      const ms = faults.duration(100, 10_000);
      const reach = random() < 0.5 ? 'none' : 'no-answers';
      node.setReach(reach);
      faults.mend(ms, () => node.setReach('all'));
      return `${node.name} ${reach} for ${ms}`;
    },
  },
  {
    name: 'database away',
    weight: 1,
    strike: (faults) => {
      const ms = faults.duration(50, 8000);
      faults.world.database.setAvailable(false);
      faults.mend(ms, () => faults.world.database.setAvailable(true));
      return `for ${ms}`;
    },
  },
  {
    name: 'database restart',
    weight: 2,
    strike: (faults) => {
      faults.world.database.restart();
      faults.world.loseConnections();
      return 'at once';
    },
  },
  {
    name: 'database failover',
    weight: 0.5,
    strike: (faults) => {
      faults.world.database.failOver();
      faults.world.loseConnections();
      return 'nothing lost';
    },
  },
  {
    name: 'slow database',
    weight: 1,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      const most = between(random, [20, 420]);
      node.setSlow([1, most]);
      faults.mend(faults.duration(500, 6000), () => node.setSlow(undefined));
      return `${node.name} up to ${most}`;
    },
  },
  {
    name: 'lost answers',
    weight: 3,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      const rate = between(random, [0.02, 0.42]);
      node.setLossRate(rate);
      faults.mend(faults.duration(300, 6000), () => node.setLossRate(0));
      return `${node.name} ${rate}`;
    },
  },
];

/**
 * A failover to a standby that lacks the last commits of one document. Acknowledged edits may be lost then.
 */
export const LOSSY: FaultKind = {
  name: 'lossy failover',
  weight: 8,
  strike: (faults, random) => {
    const { database, log } = faults.world;
    const doc = faults.pick([...faults.pick(faults.clients).documents.keys()]);
    const state = log.stateOf(doc);
    if (state === undefined || state.head === state.snapshot) return undefined;
    const { id, head, snapshot } = state;
    const lost = 1 + Math.floor(random() * Math.min(5, head - snapshot));
    database.loseAbove(id, head - lost);
    database.failOver();
    faults.world.loseConnections();
    faults.lossyDocuments.add(doc);
    return `${doc} loses ${lost} of ${head}`;
  },
};
