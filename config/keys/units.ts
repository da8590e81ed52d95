// Durations and sizes as people write them: `30s`, `16MiB`. Pure. The schema checks bounds.

const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1_000,
  mb: 1_000_000,
  gb: 1_000_000_000,
  kib: 1_024,
  mib: 1_048_576,
  gib: 1_073_741_824,
};

export const DURATION_HINT = 'milliseconds, or a number with ms, s, m, h or d, such as 30s';
export const SIZE_HINT =
  'bytes, or a number with B, kB, MB, GB (1000) or KiB, MiB, GiB (1024), such as 16MiB';

/** `30s` -> 30000. Another value is returned unchanged, for the schema to refuse. */
export const readDuration = (value: unknown): unknown => withUnit(value, DURATIONS);

/** `64KiB` -> 65536. Another value is returned unchanged, for the schema to refuse. */
export const readSize = (value: unknown): unknown => withUnit(value, SIZES);

function withUnit(value: unknown, units: Readonly<Record<string, number>>): unknown {
  if (typeof value !== 'string') return value;
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(value.trim());
  const factor = units[match?.[2]?.toLowerCase() ?? ''];
  if (match === null || factor === undefined) return value;
  // 0.1 kB is 100, although 0.1 * 1000 may not be exact. A fraction of the base unit stays a fraction, and is
  // refused.
  const product = Number(match[1]) * factor;
  return Math.abs(product - Math.round(product)) < 1e-6 ? Math.round(product) : product;
}

/** The shortest exact form: 86400000 -> `24h`. For comments and tables, not for keys. */
export function showDuration(ms: number): string {
  const unit = (['h', 'm', 's'] as const).find((name) => ms > 0 && ms % (DURATIONS[name] ?? 1) === 0);
  return unit === undefined ? `${ms}ms` : `${ms / (DURATIONS[unit] ?? 1)}${unit}`;
}

/** The shortest exact form: 1048576 -> `1MiB`. For comments and tables, not for keys. */
export function showSize(bytes: number): string {
  const unit = (['GiB', 'MiB', 'KiB'] as const).find(
    (name) => bytes > 0 && bytes % (SIZES[name.toLowerCase()] ?? 1) === 0,
  );
  return unit === undefined ? `${bytes}B` : `${bytes / (SIZES[unit.toLowerCase()] ?? 1)}${unit}`;
}
