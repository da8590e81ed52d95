// What goes wrong in a run, and when: drawn from the seed alone, before the run begins. Every fault ends by
// itself; when the time of faults is over all that is still broken is mended.
import type { Random } from '../../loadtest/random-edits.ts';
import type { SimClient } from './sim-client.ts';
import type { SimNode } from './sim-node.ts';
import { between, type World } from './world.ts';

export interface FaultsOptions {
  readonly world: World;
  readonly nodes: readonly SimNode[];
  readonly clients: readonly SimClient[];
  /** The time of faults, ms. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Between two faults, on average, ms. */
  readonly everyMs: number;
  /** The database may come back without its last commits. */
  readonly lossy: boolean;
}

export class Faults {
  private readonly options: FaultsOptions;
  private readonly random: Random;
  private over = false;
  private readonly mending = new Set<() => void>();
  /** Those of which commits were lost. */
  readonly lossyDocuments = new Set<string>();

  constructor(options: FaultsOptions) {
    this.options = options;
    this.random = options.world.random('faults');
  }

  schedule(): void {
    const { world, fromMs, toMs, everyMs } = this.options;
    for (let at = fromMs; ; ) {
      at += -Math.log(1 - this.random()) * everyMs;
      if (at >= toMs) break;
      const kind = this.kind();
      world.scheduler.after(at, () => this.strike(kind));
    }
    world.scheduler.after(toMs, () => this.mendAll());
  }

  private kind(): FaultKind {
    const kinds = this.options.lossy ? [...KINDS, LOSSY] : KINDS;
    const total = kinds.reduce((sum, { weight }) => sum + weight, 0);
    let dice = this.random() * total;
    for (const kind of kinds) {
      dice -= kind.weight;
      if (dice < 0) return kind;
    }
    return LOSSY;
  }

  private strike(kind: FaultKind): void {
    const { world } = this.options;
    const told = kind.strike(this, this.random);
    if (told === undefined) return;
    world.count(`fault ${kind.name}`);
    world.trace.line(() => `*** ${kind.name}: ${told}`);
  }

  /** Strikes in the middle of the node's next write to the database; not at all where none comes. */
  atNextWrite(node: SimNode, strike: () => void): void {
    const { log, scheduler } = this.world;
    const before = log.onWrite;
    let armed = true;
    const disarm = (): void => {
      armed = false;
    };
    log.onWrite = (session) => {
      before(session);
      if (!armed || log.nodeOf(session) !== node.name) return;
      disarm();
      // Before it has run, or when its answer is on the way.
      scheduler.after(this.random() * 2 * this.world.delays.database[1], strike);
    };
    scheduler.after(ARMED_MS, disarm);
  }

  get world(): World {
    return this.options.world;
  }

  get nodes(): readonly SimNode[] {
    return this.options.nodes;
  }

  get clients(): readonly SimClient[] {
    return this.options.clients;
  }

  pick<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.random() * all.length)];
    if (one === undefined) throw new Error('nothing to pick from');
    return one;
  }

  /** Two that are not the same; undefined: there are not so many. */
  pair(): readonly [SimNode, SimNode] | undefined {
    const a = this.pick(this.nodes);
    const others = this.nodes.filter((node) => node !== a);
    return others.length === 0 ? undefined : [a, this.pick(others)];
  }

  /** Mostly short, now and then long. */
  duration(least: number, most: number): number {
    const share = this.random();
    return least + (most - least) * share * share;
  }

  /** Undoes it after a while, or when the time of faults is over. */
  mend(afterMs: number, undo: () => void): void {
    if (this.over) {
      undo();
      return;
    }
    const once = (): void => {
      if (this.mending.delete(once)) undo();
    };
    this.mending.add(once);
    this.options.world.scheduler.after(afterMs, once);
  }

  private mendAll(): void {
    const { world, nodes } = this.options;
    this.over = true;
    for (const undo of [...this.mending]) undo();
    world.fabric.healAll();
    world.redis.setAway(undefined);
    world.database.setAvailable(true);
    for (const node of nodes) {
      node.setReach('all');
      node.setSlow(undefined);
      node.setLossRate(0);
      node.goOn();
      node.start();
      world.redis.setAway(undefined, node.name);
    }
    world.trace.line(() => '*** all is mended');
  }
}

const ARMED_MS = 3000;

interface FaultKind {
  readonly name: string;
  readonly weight: number;
  /** What was done to whom; undefined: nothing. */
  readonly strike: (faults: Faults, random: Random) => string | undefined;
}

const KINDS: readonly FaultKind[] = [
  {
    name: 'kill',
    weight: 3,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      if (!node.isUp) return undefined;
      const ms = faults.duration(50, 6000);
      const kill = (): void => {
        node.kill();
        faults.mend(ms, () => node.start());
      };
      if (random() < 0.5) {
        kill();
        return `${node.name} for ${ms}`;
      }
      faults.atNextWrite(node, kill);
      return `${node.name} for ${ms}, at its next write`;
    },
  },
  {
    // A machine that is gone does not refuse: it is silent.
    name: 'lost machine',
    weight: 1,
    strike: (faults) => {
      const node = faults.pick(faults.nodes);
      if (!node.isUp) return undefined;
      const ms = faults.duration(200, 8000);
      for (const other of faults.nodes) {
        if (other === node) continue;
        faults.world.fabric.cut(node.name, other.name);
        faults.world.fabric.cut(other.name, node.name);
      }
      node.kill();
      faults.mend(ms, () => {
        for (const other of faults.nodes) {
          faults.world.fabric.heal(node.name, other.name);
          faults.world.fabric.heal(other.name, node.name);
        }
        node.start();
      });
      return `${node.name} for ${ms}`;
    },
  },
  {
    name: 'pause',
    weight: 3,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      const ms = faults.duration(100, 20_000);
      const holding = random() < 0.6;
      const stop = (): void => {
        node.stop(holding);
        faults.mend(ms, () => node.goOn());
      };
      if (random() < 0.5) {
        stop();
        return `${node.name} for ${ms}${holding ? ', holding' : ''}`;
      }
      faults.atNextWrite(node, stop);
      return `${node.name} for ${ms}${holding ? ', holding' : ''}, at its next write`;
    },
  },
  {
    name: 'stall',
    weight: 1,
    strike: (faults) => {
      const node = faults.pick(faults.nodes);
      const ms = faults.duration(100, 7000);
      node.stall(ms);
      return `${node.name} for ${ms}`;
    },
  },
  {
    name: 'cut',
    weight: 2,
    strike: (faults, random) => {
      const pair = faults.pair();
      if (pair === undefined) return undefined;
      const [a, b] = pair;
      const ms = faults.duration(200, 10_000);
      const both = random() < 0.5;
      const { fabric } = faults.world;
      fabric.cut(a.name, b.name);
      if (both) fabric.cut(b.name, a.name);
      faults.mend(ms, () => {
        fabric.heal(a.name, b.name);
        if (both) fabric.heal(b.name, a.name);
      });
      return `${a.name} ${both ? '-/-' : '-/>'} ${b.name} for ${ms}`;
    },
  },
  {
    name: 'isolation',
    weight: 1,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      const ms = faults.duration(200, 10_000);
      const { fabric, redis } = faults.world;
      const all = random() < 0.5;
      for (const other of faults.nodes) {
        if (other === node) continue;
        fabric.cut(node.name, other.name);
        fabric.cut(other.name, node.name);
      }
      if (all) {
        node.setReach('none');
        redis.setAway('silent', node.name);
      }
      faults.mend(ms, () => {
        for (const other of faults.nodes) {
          fabric.heal(node.name, other.name);
          fabric.heal(other.name, node.name);
        }
        if (all) {
          node.setReach('all');
          redis.setAway(undefined, node.name);
        }
      });
      return `${node.name} for ${ms}${all ? ', from all' : ''}`;
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
      const most = 20 + random() * 400;
      const { fabric } = faults.world;
      fabric.setDelay(a.name, b.name, { minMs: 0.1, maxMs: most });
      faults.mend(faults.duration(500, 8000), () =>
        fabric.setDelay(a.name, b.name, { minMs: 0.1, maxMs: 2 }),
      );
      return `${a.name} -> ${b.name} up to ${most}`;
    },
  },
  {
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
      const ms = faults.duration(50, 5000);
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
      const most = 20 + random() * 400;
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
      const rate = 0.02 + random() * 0.4;
      node.setLossRate(rate);
      faults.mend(faults.duration(300, 6000), () => node.setLossRate(0));
      return `${node.name} ${rate}`;
    },
  },
  {
    name: 'redis away',
    weight: 1,
    strike: (faults, random) => {
      const { redis } = faults.world;
      const ms = faults.duration(200, 12_000);
      const how = random() < 0.5 ? 'refused' : 'silent';
      redis.setAway(how);
      const empty = random() < 0.5;
      faults.mend(ms, () => {
        if (empty) redis.empty();
        redis.setAway(undefined);
      });
      return `${how} for ${ms}${empty ? ', and empty' : ''}`;
    },
  },
  {
    name: 'redis out of reach',
    weight: 1,
    strike: (faults, random) => {
      const { redis } = faults.world;
      const node = faults.pick(faults.nodes);
      const ms = faults.duration(200, 8000);
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
  {
    name: 'worker crash',
    weight: 3,
    strike: (faults) => {
      const node = faults.pick(faults.nodes);
      return node.crashWorker() ? node.name : undefined;
    },
  },
  {
    name: 'rolling restart',
    weight: 2,
    strike: (faults, random) => {
      const node = faults.pick(faults.nodes);
      if (!node.isMember) return undefined;
      node.restart(5000, between(random, [50, 1500]), 12_000);
      return node.name;
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
    strike: (faults) => {
      const client = faults.pick(faults.clients);
      client.drop();
      return client.recorder.client;
    },
  },
];

/** A failover to a standby that lacks the last commits of one document. What was acknowledged may be gone then. */
const LOSSY: FaultKind = {
  name: 'lossy failover',
  weight: 6,
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
