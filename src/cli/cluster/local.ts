// The place of the configuration file that the nodes of `npm run cluster` share. The file exists while the
// cluster runs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const LOCAL_CLUSTER_DIRECTORY = join('data', 'cluster');

export const configFileIn = (directory: string): string => join(directory, 'cluster.yaml');

/** The file of a cluster in the working directory. Undefined if none runs there. */
export function localClusterFile(): string | undefined {
  const file = configFileIn(LOCAL_CLUSTER_DIRECTORY);
  return existsSync(file) ? file : undefined;
}
