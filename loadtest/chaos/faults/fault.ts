// The interface of a fault to the runner.
import type { PauseBound } from '../chaos-pauses.ts';
import type { Scene } from '../chaos-scene.ts';

export interface Fault {
  readonly name: string;
  /** plain; proxied: connections lead through proxies; faulty: workers die of certain patches. */
  readonly cluster: 'plain' | 'proxied' | 'faulty';
  /**
   * Whether some clients lose answers and send again; the run demands that some of these submits had
   * committed.
   */
  readonly lossy?: boolean;
  /** Whether all clients except the steady ones are at the last node. */
  readonly crowded?: boolean;
  /** Bound of the pauses of each of its strikes. */
  readonly pauseBound?: PauseBound;
  /** Strikes, and leaves a cluster that is whole again. */
  run(scene: Scene): Promise<void>;
}
