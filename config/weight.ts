// The bounds of `cluster.weight`, which the ring of shards shares with the configuration.

export const MIN_WEIGHT = 0.01;
/** A ring has points by weight: with twenty nodes of 16 it takes a tenth of a second of the main thread to make. */
export const MAX_WEIGHT = 16;

/** What another node says of itself, as a weight that the ring takes. */
export function boundedWeight(weight: number): number {
  return weight >= MIN_WEIGHT ? Math.min(weight, MAX_WEIGHT) : MIN_WEIGHT;
}
