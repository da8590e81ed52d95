// Whether a configuration makes its node one of a cluster. Pure.
import type { Config } from './schema.ts';

/** Any Redis is given. Without one a node is alone, and owns every document. */
export function isClustered({ cluster: { redis } }: Pick<Config, 'cluster'>): boolean {
  return redis.url !== null || redis.sentinels.length > 0 || redis.nodes.length > 0;
}
