// The source folders of the repository and their files, for tests that search the text of all.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageDirectory } from '../../src/cli/version.ts';

export const root = packageDirectory();

/** The floors of the product, the load tests, and tools for trying it. */
export const FLOORS = [
  'protocol',
  'kinds',
  'config',
  'actors',
  'cluster',
  'src',
  'client',
  'web',
  'loadtest',
  'tools',
] as const;
export const FOLDERS = [...FLOORS, 'test'] as const;
/** Also the pages of examples/, which belong to no floor. */
export const ALL_FOLDERS = [...FOLDERS, 'examples'] as const;

/** Paths below the root. */
export function below(folder: string, pattern: RegExp): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));
}

export const sources = (folder: string): string[] => below(folder, /\.tsx?$/);
