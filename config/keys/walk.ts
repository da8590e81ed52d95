// The schema as a flat list of keys, for modules that show keys or look them up by name.

import { type Config, schema } from '../schema.ts';
import type { Secrets } from '../showing/secrets.ts';
import { type Key, keysIn } from './key.ts';

export type { Key } from './key.ts';

/** All keys, in the order of the schema. */
export const ALL_KEYS: readonly Key[] = keysIn(schema);

/** The paths that hold keys, not values: `limits`, `storage`, `storage.embedded` … */
export const SECTIONS: ReadonlySet<string> = new Set(
  ALL_KEYS.flatMap(({ path }) => {
    const parts = path.split('.').slice(0, -1);
    return parts.map((_, i) => parts.slice(0, i + 1).join('.'));
  }),
);

/** The value of the key with this path. */
export function valueAt(config: Config, path: string): unknown {
  let at: unknown = config;
  for (const name of path.split('.'))
    at = typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined;
  return at;
}

/** Tells `secrets` every secret of the configuration. */
export function learnSecrets(config: Config, secrets: Secrets): void {
  for (const { path, secret, url } of ALL_KEYS) {
    const value = valueAt(config, path);
    if (typeof value !== 'string') continue;
    if (secret) secrets.add(value);
    if (url) secrets.addUrl(value);
  }
}
