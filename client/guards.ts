// Checks of values from outside, where no schema checks them.

/** True for a map, false for a list. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
