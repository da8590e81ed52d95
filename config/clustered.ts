// Tells whether a configuration makes its node a member of a cluster. Pure.
import type { Config } from './schema.ts';

/** True if any Redis is configured. Without one the node is alone, and owns every document. */
export function isClustered({ cluster: { redis } }: Pick<Config, 'cluster'>): boolean {
  return redis.url !== null || redis.sentinels.length > 0 || redis.nodes.length > 0;
}
