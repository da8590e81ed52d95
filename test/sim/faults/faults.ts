// The faults of a run and their times: drawn from the seed alone, before the run begins. Every fault ends by
// itself. When the time of faults is over, every fault that is left is ended.
import { encodeOperatorEvent } from '../../../cluster/operator-events.ts';
import type { Random } from '../../../loadtest/clients/random-edits.ts';
import type { SimClient } from '../clients/sim-client.ts';
import type { YjsClient } from '../clients/yjs-client.ts';
import type { SimNode } from '../machines/sim-node.ts';
import type { World } from '../world.ts';
import { DATABASE, LOSSY } from './database.ts';
import type { FaultKind } from './fault-kind.ts';
import { NETWORK } from './network.ts';
import { PROCESSES } from './processes.ts';
import { REDIS } from './redis.ts';

export interface FaultsOptions {
  readonly world: World;
  readonly nodes: readonly SimNode[];
  readonly clients: readonly SimClient[];
  readonly yjsClients: readonly YjsClient[];
  /** Begin and end of the time of faults, ms. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Time between two faults, on average, ms. */
  readonly everyMs: number;
  /** The database may come back without its last commits. */
  readonly lossy: boolean;
}

/**
 * A moment of a node: while one of its batches runs, around that time, or when the batch has committed and no
 * answer has come.
 */
export type Moment = 'at once' | 'in its next write' | 'around its next write' | 'behind its next write';

const KINDS: readonly FaultKind[] = [...PROCESSES, ...NETWORK, ...DATABASE, ...REDIS];
/** An armed fault is given up if its moment does not come within this time. */
const ARMED_MS = 3000;
const LOOK_MS = 50;
const OPERATOR_MS = 500;

export class Faults {
  readonly #options: FaultsOptions;
  readonly #random: Random;
  #over = false;
  readonly #mending = new Set<() => void>();
  /** The documents of which commits were lost. */
  readonly lossyDocuments = new Set<string>();

  constructor(options: FaultsOptions) {
    this.#options = options;
    this.#random = options.world.random('faults');
  }

  schedule(): void {
    const { world, fromMs, toMs, everyMs } = this.#options;
    for (let at = fromMs; ; ) {
      at += -Math.log(1 - this.#random()) * everyMs;
      if (at >= toMs) break;
      const kind = this.#kind();
      world.scheduler.after(at, () => this.#strike(kind));
    }
    world.scheduler.after(toMs, () => this.#mendAll());
  }

  #kind(): FaultKind {
    const kinds = this.#options.lossy ? [...KINDS, LOSSY] : KINDS;
    const total = kinds.reduce((sum, { weight }) => sum + weight, 0);
    let dice = this.#random() * total;
    for (const kind of kinds) {
      if (dice < kind.weight) return kind;
      dice -= kind.weight;
    }
    throw new Error('no kind of fault');
  }

  #strike(kind: FaultKind): void {
    const { world } = this.#options;
    const told = kind.strike(this, this.#random);
    if (told === undefined) return;
    world.count(`fault: ${kind.name}`);
    world.trace.line(() => `*** ${kind.name}: ${told}`);
  }

  /**
   * Strikes at that moment, or not at all if the moment does not come soon. `slot` is the worker that writes.
   * Returns the moment.
   */
  at(node: SimNode, moment: Moment, strike: (slot: number | undefined) => unknown): Moment {
    const { log, scheduler, delays } = this.world;
    if (moment === 'at once') strike(undefined);
    else {
      const hook = log.hook(moment === 'behind its next write' ? 'written' : 'begins', (session) => {
        if (session.node !== node.name) return;
        hook.end();
        const afterMs = moment === 'around its next write' ? this.#random() * 2 * delays.database[1] : 0;
        scheduler.after(afterMs, () => {
          if (!this.#over) strike(session.slot);
        });
      });
      scheduler.after(ARMED_MS, hook.end);
    }
    return moment;
  }

  /** Draws faults one after the other until the time of faults is over. */
  oneByOne(
    nodes: readonly SimNode[],
    {
      begin,
      isOver,
    }: { readonly begin: (node: SimNode) => void; readonly isOver: (node: SimNode) => boolean },
  ): void {
    const left = [...nodes];
    let current: SimNode | undefined;
    const stop = this.world.scheduler.every(LOOK_MS, () => {
      if (this.#over) stop();
      else if (current === undefined || isOver(current)) {
        current = left.shift();
        if (current === undefined) stop();
        else begin(current);
      }
    });
  }

  get world(): World {
    return this.#options.world;
  }

  get nodes(): readonly SimNode[] {
    return this.#options.nodes;
  }

  get yjsClients(): readonly YjsClient[] {
    return this.#options.yjsClients;
  }

  get clients(): readonly SimClient[] {
    return this.#options.clients;
  }

  pick<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.#random() * all.length)];
    if (one === undefined) throw new Error('nothing to pick from');
    return one;
  }

  /** Two different nodes. Undefined if there are fewer. */
  pair(): readonly [SimNode, SimNode] | undefined {
    const a = this.pick(this.nodes);
    const others = this.nodes.filter((node) => node !== a);
    return others.length === 0 ? undefined : [a, this.pick(others)];
  }

  shuffled<T>(all: readonly T[]): readonly T[] {
    return all
      .map((one) => [this.#random(), one] as const)
      .sort(([a], [b]) => a - b)
      .map(([, one]) => one);
  }

  /** A duration that is mostly short and sometimes long. */
  duration(least: number, most: number): number {
    const share = this.#random();
    return least + (most - least) * share * share;
  }

  /** Undoes a fault after `afterMs`, or when the time of faults is over. */
  readonly mend = (afterMs: number, undo: () => void): void => {
    if (this.#over) {
      undo();
      return;
    }
    const once = (): void => {
      if (this.#mending.delete(once)) undo();
    };
    this.#mending.add(once);
    this.#options.world.scheduler.after(afterMs, once);
  };

  #mendAll(): void {
    const { world, nodes } = this.#options;
    this.#over = true;
    for (const undo of [...this.#mending]) undo();
    world.fabric.healAll();
    world.redis.setAway(undefined);
    world.poison.clear();
    world.database.setAvailable(true);
    for (const node of nodes) {
      node.setReach('all');
      node.setSlow(undefined);
      node.setLossRate(0);
      node.goOn();
      node.start();
      world.redis.setAway(undefined, node.name);
    }
    // The operator releases the documents that are out of service, and looks again later: the report of the
    // last death may still be under way.
    world.scheduler.every(OPERATOR_MS, () => {
      for (const doc of new Set(nodes.flatMap((node) => node.quarantined()))) {
        world.count('releases');
        void world.database
          .control()
          .notify(encodeOperatorEvent({ type: 'release', doc }))
          .catch(() => undefined);
      }
    });
    world.trace.line(() => '*** all is mended');
  }
}
