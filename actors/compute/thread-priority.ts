// The priority of a thread for the operating system.
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { basename } from 'node:path';

/**
 * Puts the calling thread behind the threads that serve edits. Linux gives each thread a priority of its
 * own. On other systems, and where this is not allowed, the thread keeps its priority.
 */
export function yieldToOthers(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(
      Number(basename(readlinkSync('/proc/thread-self'))),
      constants.priority.PRIORITY_BELOW_NORMAL,
    );
  } catch {
    // Work at the same priority is correct, only less considerate.
  }
}
