// Whether a decoded value may stand in a message at all: JSON values as the contract bounds them.

/** From here on JSON.stringify writes an exponent: a float in every language. */
const EXPONENT_FROM = 1e21;

/** An integer that is not the same number in every language: VALUE-1. */
export const isInexact = (value: number): boolean =>
  Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < EXPONENT_FROM;

/** A sentence that says what is wrong, or undefined. `depth`: nesting that is left. */
export function notPlain(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? undefined : 'a string has a lone surrogate';
    case 'number':
      if (!Number.isFinite(value)) return 'a number is not finite';
      return isInexact(value) ? 'an integer is outside ±(2^53 − 1)' : undefined;
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
