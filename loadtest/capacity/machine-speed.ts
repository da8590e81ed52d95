// How fast the machine was during each level. Processors of shared machines are faster and slower by a third from one minute to the
// next, and what an edit costs with them. The load does the same work for an edit in every search, so its own processor time tells
// the speed. Pure.
import type { MeasuredLevel, Search } from './level-search.ts';

/** Levels beyond it are no measure: their edits wait. */
const MOST_P95_MS = 1000;

/**
 * The searches with the processor time that their levels would have taken on the machine at its usual speed: that at which the load's
 * time for an edit is on the line through all levels of as many nodes, over the edits a second, both logarithmic. Nodes on other
 * machines than the load have a speed of their own; their searches must not be given.
 */
export function atUsualSpeed(searches: readonly Search[]): Search[] {
  const lines = new Map<number, (logEdits: number) => number>();
  for (const nodes of new Set(searches.map((each) => each.nodes))) {
    const points = searches
      .filter((each) => each.nodes === nodes)
      .flatMap(({ levels }) => levels.filter(({ p95Ms }) => p95Ms < MOST_P95_MS).flatMap(pointOf));
    lines.set(nodes, lineThrough(points));
  }
  return searches.map((search) => ({
    ...search,
    levels: search.levels.map((level) => {
      const line = lines.get(search.nodes);
      const [point] = pointOf(level);
      const { window } = level;
      if (line === undefined || point === undefined || window === undefined) return level;
      const slowness = Math.exp(point.logCost - line(point.logEdits));
      const { mainCpu, workersCpu, loadCpu, postgresCpu } = window;
      return {
        ...level,
        window: {
          ...window,
          mainCpu: mainCpu / slowness,
          workersCpu: workersCpu / slowness,
          loadCpu: loadCpu / slowness,
          postgresCpu: postgresCpu / slowness,
        },
      };
    }),
  }));
}

interface Point {
  readonly logEdits: number;
  /** Of the processor seconds that an edit takes the load. */
  readonly logCost: number;
}

function pointOf({ window }: MeasuredLevel): Point[] {
  if (window === undefined || window.edits <= 0 || window.loadCpu <= 0) return [];
  return [{ logEdits: Math.log(window.edits), logCost: Math.log(window.loadCpu / window.edits) }];
}

/** The line of least squares; level if all points have one place. */
function lineThrough(points: readonly Point[]): (logEdits: number) => number {
  const mean = (of: (point: Point) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / Math.max(1, points.length);
  const edits = mean(({ logEdits }) => logEdits);
  const cost = mean(({ logCost }) => logCost);
  const spread = mean(({ logEdits }) => (logEdits - edits) ** 2);
  const slope =
    spread === 0 ? 0 : mean(({ logEdits, logCost }) => (logEdits - edits) * (logCost - cost)) / spread;
  return (logEdits) => cost + slope * (logEdits - edits);
}
