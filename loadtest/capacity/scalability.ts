// The universal scalability law: the throughput of N nodes from those of few, with its uncertainty. Pure.
//   X(N) = λN / (1 + σ(N − 1) + κN(N − 1))
// λ is the throughput of one node, σ the share of the work that nodes do one after the other, κ the work that each pair of
// nodes causes.
import { seededRandom } from '../clients/random-edits.ts';
import { fitNonNegative } from './least-squares.ts';

export interface Measured {
  readonly nodes: number;
  /** Above 0. */
  readonly throughput: number;
}

export interface Interval {
  readonly value: number;
  /** Nine of ten repetitions of the measurements would lie between these; equal to the value without repeats. */
  readonly low: number;
  readonly high: number;
}

export interface Scalability {
  readonly lambda: Interval;
  readonly sigma: Interval;
  readonly kappa: Interval;
  throughputOf(nodes: number): Interval;
  /** Fewest nodes with at least this throughput; undefined if no number of nodes has it. */
  nodesFor(throughput: number): number | undefined;
}

const RESAMPLES = 400;
const MOST_NODES = 10_000;

export function fitScalability(measured: readonly Measured[]): Scalability {
  const fit = lawOf(measured);
  const random = seededRandom(1);
  const byNodes = [...new Set(measured.map(({ nodes }) => nodes))].map((nodes) =>
    measured.filter((each) => each.nodes === nodes),
  );
  const resampled = Array.from({ length: RESAMPLES }, () =>
    lawOf(
      byNodes.flatMap((same) =>
        same.flatMap(() => same[Math.floor(random() * same.length)] ?? ([] as Measured[])),
      ),
    ),
  );
  const interval = (of: (law: Law) => number): Interval => {
    const value = of(fit);
    const sorted = Float64Array.from(resampled, of).sort();
    const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? value;
    return { value, low: Math.min(value, at(0.05)), high: Math.max(value, at(0.95)) };
  };
  return {
    lambda: interval(({ lambda }) => lambda),
    sigma: interval(({ sigma }) => sigma),
    kappa: interval(({ kappa }) => kappa),
    throughputOf: (nodes) => interval((law) => throughput(law, nodes)),
    nodesFor: (wanted) => {
      for (let nodes = 1; nodes <= MOST_NODES; nodes++) {
        if (throughput(fit, nodes) >= wanted) return nodes;
        // Past its peak the law only falls.
        if (throughput(fit, nodes + 1) <= throughput(fit, nodes)) return undefined;
      }
      return undefined;
    },
  };
}

interface Law {
  readonly lambda: number;
  readonly sigma: number;
  readonly kappa: number;
}

const throughput = ({ lambda, sigma, kappa }: Law, nodes: number): number =>
  (lambda * nodes) / (1 + sigma * (nodes - 1) + kappa * nodes * (nodes - 1));

/** N / X(N) is linear in 1/λ, σ/λ and κ/λ. Coefficients for which there are too few numbers of nodes are 0. */
function lawOf(measured: readonly Measured[]): Law {
  const counts = new Set(measured.map(({ nodes }) => nodes)).size;
  const rows = measured.map(({ nodes }) => [1, nodes - 1, nodes * (nodes - 1)].slice(0, Math.min(3, counts)));
  const [one = 0, sigma = 0, kappa = 0] = fitNonNegative(
    rows,
    measured.map(({ nodes, throughput: x }) => nodes / x),
  );
  return { lambda: 1 / one, sigma: sigma / one, kappa: kappa / one };
}
