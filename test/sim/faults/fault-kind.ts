// What a kind of fault is. Kinds stand in processes.ts, network.ts, database.ts and redis.ts, by what they strike.
import type { Random } from '../../../loadtest/clients/random-edits.ts';
import type { Faults } from './faults.ts';

export interface FaultKind {
  readonly name: string;
  /** How often it is drawn, relative to the others. */
  readonly weight: number;
  /** What was done to whom; undefined: nothing. It is mended by itself. */
  readonly strike: (faults: Faults, random: Random) => string | undefined;
}
