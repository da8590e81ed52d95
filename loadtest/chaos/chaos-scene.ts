// The surroundings of a fault: the cluster under load, and a record of its strikes. Measures the clients'
// observations from one strike to the next; checker.ts decides whether promises were kept.
import type { ChaosCluster, ChaosNode, ChaosServices } from './chaos-cluster.ts';
import type { ChaosDatabase, FenceCounts } from './chaos-database.ts';
import type { ChaosLoad, Standing } from './chaos-load.ts';

export interface SceneOptions {
  readonly cluster: ChaosCluster;
  readonly load: ChaosLoad;
  readonly database: ChaosDatabase;
  readonly services: ChaosServices;
  readonly org: string;
  /** Number of strikes. */
  readonly rounds: number;
  /** Load between strikes, and the length of faults that last for a time: 1 is the full length. */
  readonly calmMs: number;
  readonly length: number;
  /** The part of its mean number of shards that each node has before and after a strike, at least. The default is one half. */
  readonly leastShare?: number | undefined;
  readonly onLine: (line: string) => void;
}

export type Told = Readonly<Record<string, number>>;

/** The observations of clients from strikes of one name on. */
export interface Seen {
  readonly strike: string;
  /** Longest pause of each struck document, once for each strike, ms; and of the other documents. */
  readonly struckPauses: number[];
  readonly otherPauses: number[];
  /** Edits acknowledged, and the seconds that this took. */
  acknowledged: number;
  seconds: number;
  /** Errors told to clients that were not at a struck node, and to clients that were. */
  readonly survivors: Record<string, number>;
  readonly struck: Record<string, number>;
  fences: FenceCounts;
}

interface Strike {
  readonly name: string;
  readonly at: number;
  readonly nodes: ReadonlySet<number>;
  readonly docs: readonly string[];
  readonly census: readonly Standing[];
  readonly fences: FenceCounts;
  /** The time from which pauses no longer belong to the strike. */
  overAt: number;
}

/** A strike that is over, and the totals when the next one came. */
interface PastStrike {
  readonly strike: Strike;
  readonly census: readonly Standing[];
  readonly fences: FenceCounts;
}

export class Scene {
  readonly cluster: ChaosCluster;
  readonly load: ChaosLoad;
  readonly database: ChaosDatabase;
  readonly services: ChaosServices;
  readonly org: string;
  readonly rounds: number;
  /** The demands that were not met. */
  readonly unmet: string[] = [];
  readonly #options: SceneOptions;
  #current: Strike | undefined;
  readonly #past: PastStrike[] = [];
  readonly #seen = new Map<string, Seen>();

  constructor(options: SceneOptions) {
    this.#options = options;
    this.cluster = options.cluster;
    this.load = options.load;
    this.database = options.database;
    this.services = options.services;
    this.org = options.org;
    this.rounds = options.rounds;
  }

  /**
   * The first node, from `place` on, that owns some of the documents: of a few documents a node may own none.
   */
  async owner(place = 0): Promise<ChaosNode> {
    const { cluster, load } = this;
    const owners = await this.database.ownersOf(this.org);
    const owning = new Set(load.docs.map((doc) => owners.get(doc)));
    for (let from = place; from < place + cluster.nodes.length; from++) {
      const node = cluster.node(from);
      if (owning.has(node.name)) return node;
    }
    throw new Error('no node owns a document of the run');
  }

  /** Call right before a strike. Without nodes all documents are struck, and no client. */
  async strikes(name: string, ...nodes: readonly ChaosNode[]): Promise<void> {
    await this.#close();
    const owners = await this.database.ownersOf(this.#options.org);
    const names = new Set(nodes.map((node) => node.name));
    this.#current = {
      name,
      nodes: new Set(nodes.map((node) => this.cluster.nodes.indexOf(node))),
      docs: this.load.docs.filter((doc) => nodes.length === 0 || names.has(owners.get(doc) ?? '')),
      census: this.load.census(),
      fences: await this.database.fences(),
      at: performance.now(),
      overAt: Number.POSITIVE_INFINITY,
    };
  }

  /** From now on pauses do not belong to the strike. */
  over(): void {
    if (this.#current !== undefined) this.#current.overAt = Math.min(this.#current.overAt, performance.now());
  }

  /** Waits while load goes on and no fault is active. */
  calm(): Promise<void> {
    return sleep(this.#options.calmMs);
  }

  /** Waits for this time, in a run of full length. */
  lasts(fullMs: number): Promise<void> {
    return sleep(this.lengthOf(fullMs));
  }

  lengthOf(fullMs: number): number {
    return fullMs * this.#options.length;
  }

  demand(holds: boolean, what: string): void {
    if (holds) return;
    this.unmet.push(what);
    this.say(`NOT MET: ${what}`);
  }

  /** Waits until every node has its part of the shards, and clients are where they began. */
  async healed(): Promise<void> {
    await this.hasShards();
    this.load.goHome();
    await this.until('everyone is at home', HOME_MS, () => this.load.isOpen());
  }

  /** Waits until every node has the least share of its part. */
  async hasShards(): Promise<void> {
    const { leastShare = 0.5 } = this.#options;
    const least = (SHARDS / this.cluster.nodes.length) * leastShare;
    const tookMs = await this.until('every node has its part of the shards again', HEAL_MS, async () => {
      const shards = await this.database.shardsByNode();
      return this.cluster.nodes.every(({ name }) => (shards.get(name) ?? 0) >= least);
    });
    this.say(`  every node has its shards after ${Math.round(tookMs)} ms`);
  }

  /** Waits for a condition, and demands that it comes true in time. Returns the time that it took, ms. */
  async until(what: string, mostMs: number, holds: () => boolean | Promise<boolean>): Promise<number> {
    const began = performance.now();
    while (!(await holds())) {
      if (performance.now() - began > mostMs) {
        this.demand(false, `${what} within ${mostMs} ms`);
        break;
      }
      await sleep(LOOK_MS);
    }
    return performance.now() - began;
  }

  say(line: string): void {
    this.#options.onLine(line);
  }

  /** The longest pause so far of a document that this strike hit. */
  longestPause(): number {
    const current = this.#current;
    return current === undefined ? 0 : Math.max(0, ...this.#pausesOf(current, current.docs));
  }

  /** Call once load has stopped. */
  async end(): Promise<readonly Seen[]> {
    await this.#close();
    for (const each of this.#past.splice(0)) this.#count(each);
    return [...this.#seen.values()];
  }

  /** Counted later: the clients are in this process, and would stand still during the count. */
  async #close(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    this.over();
    this.#current = undefined;
    const census = this.load.census();
    this.#past.push({ strike: current, census, fences: await this.database.fences() });
  }

  #count({ strike, census, fences }: PastStrike): void {
    const seen = this.#seenOf(strike.name);
    const struck = new Set(strike.docs);
    const others = this.load.docs.filter((doc) => !struck.has(doc));
    seen.struckPauses.push(...this.#pausesOf(strike, strike.docs));
    seen.otherPauses.push(...this.#pausesOf(strike, others));
    const until = Math.min(strike.overAt, this.load.stoppedAt);
    seen.acknowledged += this.load.waits.filter(({ at }) => at >= strike.at && at < until).length;
    seen.seconds += (until - strike.at) / 1000;
    for (const [place, now] of census.entries()) {
      const before = strike.census[place];
      if (before === undefined) continue;
      const sum = isStruck(strike, before) ? seen.struck : seen.survivors;
      for (const [code, count] of Object.entries(now.told)) {
        const more = count - (before.told[code] ?? 0);
        if (more > 0) sum[code] = (sum[code] ?? 0) + more;
      }
    }
    seen.fences = {
      runs: seen.fences.runs + fences.runs - strike.fences.runs,
      workers: seen.fences.workers + fences.workers - strike.fences.workers,
    };
  }

  #pausesOf(strike: Strike, docs: readonly string[]): readonly number[] {
    const { at: fromMs, overAt, census } = strike;
    const observers = new Set(
      census.filter((each) => each.steady && !isStruck(strike, each)).map(({ client }) => client),
    );
    const toMs = Math.min(overAt, this.load.stoppedAt, performance.now());
    return this.load.pauses.longest({ docs, observers, fromMs, toMs });
  }

  #seenOf(strike: string): Seen {
    let seen = this.#seen.get(strike);
    if (seen === undefined) {
      seen = {
        strike,
        struckPauses: [],
        otherPauses: [],
        acknowledged: 0,
        seconds: 0,
        survivors: {},
        struck: {},
        fences: { runs: 0, workers: 0 },
      };
      this.#seen.set(strike, seen);
    }
    return seen;
  }
}

function isStruck({ nodes }: Strike, { node }: Standing): boolean {
  return nodes.size > 0 && (node === undefined || nodes.has(node));
}

const LOOK_MS = 50;
const HEAL_MS = 90_000;
const HOME_MS = 10_000;
/** Shards of a cluster. */
const SHARDS = 4096;

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
