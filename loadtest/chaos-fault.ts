// What a fault is to the runner.
import type { PauseBound } from './chaos-pauses.ts';
import type { Scene } from './chaos-scene.ts';

export interface Fault {
  readonly name: string;
  /** plain; proxied: connections lead through proxies; faulty: workers die of certain patches. */
  readonly cluster: 'plain' | 'proxied' | 'faulty';
  /** Some clients lose answers and send again; the run demands that some of it had committed. */
  readonly lossy?: boolean;
  /** All clients but the steady ones are at the last node. */
  readonly crowded?: boolean;
  /** Of the pauses of each of its strikes. */
  readonly pauseBound?: PauseBound;
  /** Strikes, and leaves a cluster that is whole again. */
  run(scene: Scene): Promise<void>;
}
