// Faults of nodes and their threads: they die, stop, stall, leave, join, and have clocks of their own.
import { between } from '../world.ts';
import type { FaultKind } from './fault-kind.ts';
import type { Faults, Moment } from './faults.ts';
import { cut } from './network.ts';

export const PROCESSES: readonly FaultKind[] = [
  {
    name: 'kill',
    weight: 3,
    strike: (faults) => {
      const node = faults.pick(faults.nodes);
      if (!node.isUp) return undefined;
      const ms = faults.duration(50, 6000);
      const when = faults.at(node, faults.pick(MOMENTS), () => {
        node.kill();
        faults.mend(ms, () => node.start());
      });
      return `${node.name} for ${ms}, ${when}`;
    },
  },
  {
    // A machine that has failed does not refuse connections: it is silent.
    name: 'lost machine',
    weight: 1,
    strike: (faults) => {
      const node = faults.pick(faults.nodes);
      if (!node.isUp) return undefined;
      const ms = faults.duration(200, 8000);
      const others = faults.nodes.filter((other) => other !== node).map(({ name }) => name);
      cut(faults, [node.name], others, true, ms);
      node.kill();
      faults.mend(ms, () => node.start());
      return `${node.name} for ${ms}`;
    },
  },
  {
    name: 'power cut',
    weight: 0.5,
    strike: (faults, random) => {
      for (const node of faults.nodes) {
        if (!node.isUp) continue;
        node.kill();
        faults.mend(between(random, [50, 3000]), () => node.start());
      }
      return 'all nodes';
    },
  },
  {
    name: 'pause',
    weight: 3,
    strike: (faults, random) => {
      const ms = faults.duration(100, 20_000);
      return pause(faults, faults.pick(MOMENTS), ms, random() < 0.6);
    },
  },
  {
    // The pause lasts as long as the others need for a takeover, and mostly no longer than the node may still
    // answer for itself.
    name: 'pause in mid-batch',
    weight: 5,
    strike: (faults, random) =>
      pause(faults, 'in its next write', between(random, [1000, 4500]), random() < 0.75),
  },
  {
    name: 'stall',
    weight: 1,
    strike: (faults) => {
      const node = faults.pick(faults.nodes);
      const ms = faults.duration(100, 7000);
      faults.mend(ms, node.stall());
      return `${node.name} for ${ms}`;
    },
  },
  {
    name: 'worker stall',
    weight: 1,
    strike: (faults) => {
      const node = faults.pick(faults.nodes);
      const ms = faults.duration(100, 9000);
      const when = faults.at(node, faults.pick(MOMENTS), (slot) => faults.mend(ms, node.stallWorker(slot)));
      return `${node.name} for ${ms}, ${when}`;
    },
  },
  {
    name: 'worker crash',
    weight: 3,
    strike: (faults) => {
      const node = faults.pick(faults.nodes);
      if (!node.isUp) return undefined;
      const when = faults.at(node, faults.pick(MOMENTS), (slot) => node.crashWorker(slot));
      return `${node.name}, ${when}`;
    },
  },
  {
    // Every worker that handles the document dies.
    name: 'poison document',
    weight: 1,
    strike: (faults) => {
      const doc = faults.pick([...faults.pick(faults.clients).documents.keys()]);
      const ms = faults.duration(5, 4000);
      const { poison } = faults.world;
      poison.add(doc);
      faults.mend(ms, () => poison.delete(doc));
      return `${doc} for ${ms}`;
    },
  },
  {
    name: 'restart',
    weight: 3,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      if (!node.isMember) return undefined;
      const downMs = random() < 0.2 ? between(random, [3000, 9000]) : between(random, [50, 1500]);
      const slowMs = random() < 0.7 ? between(random, [5, 60]) : 0;
      // Its writes during the hand-over take this long.
      if (slowMs > 0) {
        node.setSlow([1, slowMs]);
        faults.mend(RESTART_MS, () => node.setSlow(undefined));
      }
      const when = faults.at(node, faults.pick(MOMENTS), () => node.restart(DRAIN_MS, downMs, RESTART_MS));
      return `${node.name}, down for ${downMs}, ${when}, writes take up to ${slowMs}`;
    },
  },
  {
    name: 'rolling restart',
    weight: 1,
    strike: (faults, random) => {
      const nodes = faults.nodes.filter(({ isMember }) => isMember);
      if (nodes.length < 2) return undefined;
      const downMs = between(random, [50, 1500]);
      faults.oneByOne(nodes, {
        begin: (node) => node.restart(DRAIN_MS, downMs, RESTART_MS),
        isOver: (node) => node.isMember && node.isRouted,
      });
      return `${nodes.map(({ name }) => name)}, each down for ${downMs}`;
    },
  },
  {
    name: 'clock jump',
    weight: 0.5,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      node.wallOffsetMs = (random() - 0.5) * 7_200_000;
      return `${node.name} ${node.wallOffsetMs}`;
    },
  },
  {
    name: 'lost sockets',
    weight: 2,
    strike: (faults, random) => {
      if (random() < 0.2) {
        for (const client of [...faults.clients, ...faults.yjsClients]) client.drop();
        return 'of all clients';
      }
      const client = faults.pick(faults.clients);
      client.drop();
      return client.recorder.client;
    },
  },
  {
    // Clients that did not hear of their commits send the patches again.
    name: 'sockets lost behind a write',
    weight: 1,
    strike: (faults) => {
      const node = faults.pick(faults.nodes);
      const when = faults.at(node, 'behind its next write', () => {
        for (const client of faults.clients) client.drop(0);
      });
      return `${node.name}, ${when}`;
    },
  },
];

const MOMENTS: readonly Moment[] = [
  'at once',
  'in its next write',
  'around its next write',
  'behind its next write',
];
const DRAIN_MS = 5000;
const RESTART_MS = 12_000;

function pause(faults: Faults, moment: Moment, ms: number, holding: boolean): string {
  const node = faults.pick(faults.nodes);
  const when = faults.at(node, moment, () => {
    node.stop(holding);
    faults.mend(ms, () => node.goOn());
  });
  return `${node.name} for ${ms}${holding ? ', holding' : ''}, ${when}`;
}
