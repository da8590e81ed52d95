// The priority of a thread for the operating system.
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { basename } from 'node:path';

/**
 * The calling thread comes after those that serve edits. Linux gives each thread a priority of its own; elsewhere, and
 * where it is not allowed, this thread keeps its own.
 */
export function yieldToOthers(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(
      Number(basename(readlinkSync('/proc/thread-self'))),
      constants.priority.PRIORITY_BELOW_NORMAL,
    );
  } catch {
    // Work at the same priority is right, only less kind.
  }
}
