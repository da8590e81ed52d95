// The schema as a flat list of keys, for modules that show keys or look them up by name.
import { z } from 'zod';
import { type KeyMeta, keys } from './key.ts';
import { type Config, schema } from './schema.ts';

/** A key of the configuration: its path with dots, such as `limits.frameBytes`. */
export interface Key extends KeyMeta {
  readonly path: string;
}

/** All keys, in the order of the schema. */
export const ALL_KEYS: readonly Key[] = walk(schema, '');

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

function walk(part: z.core.$ZodType, path: string): Key[] {
  const meta = keys.get(part as z.ZodType);
  if (meta !== undefined) return [{ path, ...meta }];
  if (part instanceof z.ZodPrefault) return walk(part.unwrap(), path);
  if (!(part instanceof z.ZodObject)) throw new Error(`config/schema.ts: ${path} has no description`);
  return Object.entries<z.core.$ZodType>(part.shape).flatMap(([name, child]) =>
    walk(child, path === '' ? name : `${path}.${name}`),
  );
}
