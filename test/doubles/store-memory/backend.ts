// The parts of the database that the memory store's control and worker stores need.
import type { SessionId } from '../../../actors/storage/store.ts';
import type { MemoryTables } from './database.ts';
import type { SessionLocks } from './locks.ts';
import type { LostConnection } from './way.ts';

export interface Backend {
  readonly tables: MemoryTables;
  readonly locks: SessionLocks;
  /** Sessions whose next append or hand-off loses its connection. */
  readonly lost: Map<SessionId, LostConnection>;
  readonly random: (bytes: Uint8Array<ArrayBuffer>) => unknown;
  sleep(ms: number): Promise<void>;
  publish(event: string): void;
  migrate(): readonly string[];
  pending(): readonly string[];
  /** This many random bytes, in hexadecimal. */
  hex(bytes: number): string;
}
