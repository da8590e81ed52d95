// Files of earlier runs that a command is given.
import { readFileSync } from 'node:fs';
import { UsageError } from './cli-options.ts';

/** Throws UsageError for a file that cannot be read or has no JSON. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}
