// The search for the knee: the number of clients at which edits begin to take longer than their bound, or fail. It
// says which level to measure next, and reads the knee off all levels together, so that one level disturbed by
// something else does not decide. Pure.

/** The figures of a level of the load. */
export interface Level {
  readonly clients: number;
  /** Edits a second that were due. */
  readonly asked: number;
  readonly committed: number;
  readonly p95Ms: number;
  /** Errors, rejections and lost connections. */
  readonly errors: number;
}

export interface Knee {
  /** Clients at the knee. */
  readonly clients: number;
  /** Edits a second at the knee. */
  readonly edits: number;
  /** The knee when single levels are left out: how much one level decides. */
  readonly low: number;
  readonly high: number;
  /** Whether the search ended at its most clients, and not at a bound: the knee is at least this. */
  readonly isAtLeast: boolean;
}

export interface SearchOptions {
  readonly first: number;
  readonly most: number;
  readonly boundMs: number;
  /** Measurements of the levels around the knee, beyond the first. */
  readonly repeats: number;
}

/** Ratio of two neighbouring levels at which the search is fine enough. */
const FINE = 1.12;
const LEAST_ACHIEVED = 0.95;
/** Most levels of one search; past it the knee is what they say. */
const MOST_LEVELS = 36;
/** Measurements of a level, of which most decide: a pause of the machine may spoil one of them. */
const JURY = 3;

export class KneeSearch {
  readonly levels: Level[] = [];
  readonly #options: SearchOptions;
  #repeats: number[] | undefined;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /** Clients of the next level; undefined when the knee is known. */
  next(): number | undefined {
    const { first, most, repeats } = this.#options;
    if (this.levels.length >= MOST_LEVELS) return undefined;
    const verdicts = this.#verdicts();
    const undecided = verdicts.find(({ isHeld }) => isHeld === undefined);
    if (this.#repeats === undefined && undecided !== undefined) return undecided.clients;
    const good = Math.max(0, ...verdicts.flatMap(({ clients, isHeld }) => (isHeld ? clients : [])));
    const bad = Math.min(...verdicts.flatMap(({ clients, isHeld }) => (isHeld ? [] : clients)));
    if (this.#repeats === undefined) {
      if (good >= most) return undefined;
      if (bad === Infinity) return Math.min(most, good === 0 ? first : good * 2);
      if (good === 0) return bad > 1 ? Math.max(1, Math.floor(bad / 2)) : undefined;
      if (bad / good > FINE) return Math.round(Math.sqrt(good * bad));
      const around = [Math.min(good, bad), Math.max(good, bad)];
      this.#repeats = Array.from({ length: repeats }, () => around).flat();
    }
    return this.#repeats.shift();
  }

  take(level: Level): void {
    this.levels.push(level);
  }

  /** Undefined if no level was good. */
  get knee(): Knee | undefined {
    const { boundMs, most } = this.#options;
    const clients = crossing(this.levels, boundMs);
    if (clients === undefined) return undefined;
    const without = this.levels
      .map((_, index) => crossing(this.levels.toSpliced(index, 1), boundMs))
      .filter((each) => each !== undefined);
    const asked = this.levels.reduce((sum, level) => sum + level.asked, 0);
    const all = this.levels.reduce((sum, level) => sum + level.clients, 0);
    return {
      clients: Math.round(clients),
      edits: (clients * asked) / all,
      low: Math.round(Math.min(clients, ...without)),
      high: Math.round(Math.max(clients, ...without)),
      isAtLeast: clients >= most,
    };
  }

  /**
   * Whether each number of clients was held. One measurement that was good is enough; one that was not is repeated until
   * most of JURY agree, and the answer is undefined meanwhile.
   */
  #verdicts(): { readonly clients: number; readonly isHeld: boolean | undefined }[] {
    const { boundMs } = this.#options;
    return [...new Set(this.levels.map(({ clients }) => clients))].map((clients) => {
      const measured = this.levels.filter((level) => level.clients === clients);
      const good = measured.filter((level) => isGood(level, boundMs)).length;
      const bad = measured.length - good;
      if (bad === 0 || good > JURY / 2) return { clients, isHeld: true };
      return { clients, isHeld: bad > JURY / 2 ? false : undefined };
    });
  }
}

export function isGood({ p95Ms, errors, asked, committed }: Level, boundMs: number): boolean {
  return asked > 0 && p95Ms < boundMs && errors === 0 && committed >= LEAST_ACHIEVED * asked;
}

/** Where the rising line through all levels meets the bound. A level with errors counts as twice the bound at least. */
function crossing(levels: readonly Level[], boundMs: number): number | undefined {
  const points = [...levels]
    .sort((left, right) => left.clients - right.clients)
    .map((level) => ({
      clients: level.clients,
      log: Math.log(isGood(level, boundMs) ? level.p95Ms : Math.max(level.p95Ms, 2 * boundMs)),
    }));
  const line = rising(points);
  const bound = Math.log(boundMs);
  const above = line.findIndex(({ log }) => log >= bound);
  if (above === 0 || line.length === 0) return undefined;
  const before = line[above === -1 ? line.length - 1 : above - 1];
  const after = line[above];
  if (before === undefined) return undefined;
  // Every level is below the bound.
  if (after === undefined) return Math.max(...levels.map(({ clients }) => clients));
  const share = (bound - before.log) / (after.log - before.log);
  return before.clients + (after.clients - before.clients) * share;
}

/** The nearest sequence that never falls: neighbours that fall are joined to their mean. */
function rising(points: readonly { clients: number; log: number }[]): { clients: number; log: number }[] {
  const blocks: { clients: number; log: number; many: number }[] = [];
  for (const point of points) {
    let block = { ...point, many: 1 };
    for (let last = blocks.at(-1); last !== undefined && last.log >= block.log; last = blocks.at(-1)) {
      blocks.pop();
      const many = last.many + block.many;
      const mean = (one: number, other: number) => (one * last.many + other * block.many) / many;
      block = { clients: mean(last.clients, block.clients), log: mean(last.log, block.log), many };
    }
    blocks.push(block);
  }
  return blocks;
}
