// A folder in memory for temporary files of the tests. A database on a disk takes several times the processor
// time of one in memory, and the tests make hundreds.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Linux keeps it in memory. In a container it is often small, or does not allow programs to be executed. */
const MEMORY = '/dev/shm';
/** The tests of three files at a time take less than a third of it. */
const LEAST_BYTES = 3 * 1024 ** 3;

/**
 * A directory in memory with enough room for the tests. Undefined: the tests use the directory of the system.
 */
export function memoryDirectory(): string | undefined {
  if (process.platform !== 'linux' || process.env.TMPDIR !== undefined) return undefined;
  if (process.availableMemory() < 2 * LEAST_BYTES) return undefined;
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= LEAST_BYTES && canExecuteIn(MEMORY) ? MEMORY : undefined;
  } catch {
    return undefined;
  }
}

function canExecuteIn(directory: string): boolean {
  const own = mkdtempSync(join(directory, 'troupe-test-'));
  try {
    const program = join(own, 'program');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o700 });
    return spawnSync(program).status === 0;
  } finally {
    rmSync(own, { recursive: true });
  }
}
