// Checks whether a decoded value may stand in a message at all: JSON values within the bounds of the
// contract.

/**
 * True for a number beyond ±(2^53 − 1): VALUE-1. All doubles of that size are integers, and JSON.parse has
 * rounded the written number, so two languages read different numbers from one text. The value decides, not
 * its notation.
 */
export const isInexact = (value: number): boolean => Math.abs(value) > Number.MAX_SAFE_INTEGER;

/** Returns a sentence that says what is wrong, or undefined. `depth` is the nesting that is left. */
export function notPlain(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? undefined : 'a string has a lone surrogate';
    case 'number':
      if (!Number.isFinite(value)) return 'a number is not finite';
      return isInexact(value) ? 'a number is outside ±(2^53 − 1)' : undefined;
    case 'boolean':
      return undefined;
    case 'object':
      break;
    default:
      return 'not a JSON value';
  }
  if (value === null) return undefined;
  if (value instanceof Uint8Array) return 'bytes stand only where a patch or snapshot of kind yjs stands';
  if (depth <= 0) return 'nested too deep';
  if (Array.isArray(value)) {
    for (const element of value) {
      const wrong = notPlain(element, depth - 1);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  for (const key in value) {
    if (!key.isWellFormed()) return 'a key has a lone surrogate';
    const wrong = notPlain((value as Record<string, unknown>)[key], depth - 1);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/**
 * True if a decoded value is sure to take more than `bytes` bytes in JSON and in MessagePack. The estimate
 * is a lower bound: it holds for any numbers and escapes, and the walk stops once the bound is passed.
 */
export function isLarger(value: unknown, bytes: number): boolean {
  return leftOf(value, bytes, DEEPEST) < 0;
}

/** `isLarger` looks no deeper than this. `notPlain` refuses values that are nested deeper. */
const DEEPEST = 512;

function leftOf(value: unknown, bytes: number, depth: number): number {
  let left = bytes - 1;
  if (left < 0 || depth <= 0) return left;
  if (typeof value === 'string') return left - value.length;
  if (typeof value !== 'object' || value === null) return left;
  if (value instanceof Uint8Array) return left - value.length;
  if (Array.isArray(value)) {
    for (const element of value) {
      left = leftOf(element, left, depth - 1);
      if (left < 0) return left;
    }
    return left;
  }
  for (const key in value) {
    left = leftOf((value as Record<string, unknown>)[key], left - 1 - key.length, depth - 1);
    if (left < 0) return left;
  }
  return left;
}
