// Order keys: strings whose comparison is the order of cards and columns, so that a move is one write and two
// people's moves never shift each other's. Pure except for the random function passed in, which makes two
// people's keys for the same gap differ.

/** Keys are chunks of four base-62 digits; digits sort as their code units do. */
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const CHUNK = 4;
const CHUNK_LIMIT = 62 ** CHUNK;
/** Distance of a new key from the last (or first) key: 3,600 appends a chunk. */
const STRIDE = 4096;

/**
 * A key above `after` and below `before`; undefined means no bound. If `after` is not below `before` (equal
 * keys, or garbage from elsewhere), the key is only above `after`. `random`: in [0, 1).
 */
export function keyBetween(
  after: string | undefined,
  before: string | undefined,
  random: () => number,
): string {
  const low = after ?? '';
  const high = before !== undefined && before > low ? before : undefined;
  if (low === '' && high === undefined) return chunk(CHUNK_LIMIT / 2 + Math.floor(random() * STRIDE));
  return between(low, high, after === undefined, random);
}

/** Whether a string has the form of an order key. */
export function isOrderKey(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9A-Za-z]{1,400}$/.test(value);
}

/** Plain code-unit order: the same on every machine in every language. */
export function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function between(low: string, high: string | undefined, openBelow: boolean, random: () => number): string {
  const from = low === '' ? 0 : value(low);
  const to = high === undefined ? CHUNK_LIMIT : value(high);
  const gap = to - from;
  if (gap >= 2) {
    if (openBelow) return chunk(Math.max(from + 1, to - 1 - Math.floor(random() * STRIDE)));
    if (high === undefined) return chunk(Math.min(to - 1, from + 1 + Math.floor(random() * STRIDE)));
    return chunk(from + 1 + Math.floor((gap - 1) * (0.25 + random() / 2)));
  }
  const rest = low.slice(CHUNK);
  const bound = gap === 1 ? undefined : high?.slice(CHUNK);
  return chunk(from) + between(rest, bound, openBelow && gap === 0, random);
}

const value = (key: string): number =>
  [...key.slice(0, CHUNK).padEnd(CHUNK, '0')].reduce(
    (sum, digit) => sum * 62 + Math.max(0, DIGITS.indexOf(digit)),
    0,
  );

function chunk(number: number): string {
  let digits = '';
  for (let left = number, place = 0; place < CHUNK; place += 1, left = Math.floor(left / 62)) {
    digits = (DIGITS[left % 62] ?? '0') + digits;
  }
  return digits;
}
