// The words of reads from replicas: the position that an answer must show, and the counts of where reads were answered.
// postgres/connection/reads.ts reads from the replicas.

/**
 * A place in the log of a PostgreSQL: its offset, the identity of the database's files, and the timeline that the
 * database had recorded. A server that has replayed it shows all that the primary showed when it was taken.
 */
export interface Position {
  readonly lsn: string;
  readonly system: string;
  readonly timeline: number;
}

/**
 * Where a read was answered, and why. `replica`: by a replica. `behind`: by the primary, because the replica had not
 * replayed the position in time. `away`: by the primary, because the replica did not answer or refused. `resting`: by
 * the primary, because each replica was behind or away a moment ago.
 */
export const REPLICA_OUTCOMES = ['replica', 'behind', 'away', 'resting'] as const;
export type ReplicaOutcome = (typeof REPLICA_OUTCOMES)[number];

/** Counts reads in memory that several threads write. */
export class ReplicaCounts {
  readonly memory: SharedArrayBuffer;
  readonly #cells: BigUint64Array;

  /** `memory`: that of other counts, to which these are added. By default new memory. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(REPLICA_OUTCOMES.length * BigUint64Array.BYTES_PER_ELEMENT);
    this.#cells = new BigUint64Array(this.memory);
  }

  count(outcome: ReplicaOutcome): void {
    Atomics.add(this.#cells, REPLICA_OUTCOMES.indexOf(outcome), 1n);
  }

  of(outcome: ReplicaOutcome): number {
    return Number(Atomics.load(this.#cells, REPLICA_OUTCOMES.indexOf(outcome)));
  }
}
