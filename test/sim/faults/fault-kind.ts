// The interface of a kind of fault. The kinds stand in processes.ts, network.ts, database.ts and redis.ts, by
// the part that they affect.
import type { Random } from '../../../loadtest/clients/random-edits.ts';
import type { Faults } from './faults.ts';

export interface FaultKind {
  readonly name: string;
  /** The probability of this kind, relative to the others. */
  readonly weight: number;
  /** Applies the fault, which ends by itself. Returns a description, or undefined if nothing was done. */
  readonly strike: (faults: Faults, random: Random) => string | undefined;
}
