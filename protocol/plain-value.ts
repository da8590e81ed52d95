// Whether a decoded value may stand in a message at all: JSON values as the contract bounds them.

/**
 * A number beyond ±(2^53 − 1): VALUE-1. All doubles up there are integers, and JSON.parse has rounded what
 * was written, so one language reads another number than the next. The value decides, not how it was written.
 */
export const isInexact = (value: number): boolean => Math.abs(value) > Number.MAX_SAFE_INTEGER;

/** A sentence that says what is wrong, or undefined. `depth`: nesting that is left. */
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
 * Whether a decoded value takes more than so many bytes in JSON and in MessagePack, whatever its numbers and escapes
 * take: a lower bound, found without looking at more of it than that.
 */
export function isLarger(value: unknown, bytes: number): boolean {
  return leftOf(value, bytes, DEEPEST) < 0;
}

/** Values that are nested deeper are for `notPlain` to refuse. */
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
