// What the memory store's control and worker stores need of their database.
import type { SessionId } from '../store.ts';
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
  /** So many random bytes. */
  hex(bytes: number): string;
}
