// Where `npm run cluster` leaves the configuration that its nodes have in common, for as long as it runs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const LOCAL_CLUSTER_DIRECTORY = join('data', 'cluster');

export const configFileIn = (directory: string): string => join(directory, 'cluster.yaml');

/** That of the cluster in the working directory; undefined where none runs there. */
export function localClusterFile(): string | undefined {
  const file = configFileIn(LOCAL_CLUSTER_DIRECTORY);
  return existsSync(file) ? file : undefined;
}
