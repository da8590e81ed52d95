// The bounds of `cluster.weight`, which the ring of shards shares with the configuration.

export const MIN_WEIGHT = 0.01;
/**
 * The number of a ring's points grows with the weights, and so does the time to build the ring on the main
 * thread.
 */
export const MAX_WEIGHT = 16;

/** Bounds a weight that another node has published to one that the ring accepts. */
export function boundedWeight(weight: number): number {
  return weight >= MIN_WEIGHT ? Math.min(weight, MAX_WEIGHT) : MIN_WEIGHT;
}
