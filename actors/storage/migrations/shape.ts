// Numbers that the schema fixes for the life of a database. Migrations are never edited: a different
// number here needs a migration that moves the rows.

/** Shards of a cluster: rows of `shard`, 0 to SHARDS - 1. */
export const SHARDS = 4_096;

/**
 * Hash partitions of delta, snapshot and client_seq. More than 16 relations in a statement overflow
 * PostgreSQL's fast-path locks.
 */
export const PARTITIONS = 16;
