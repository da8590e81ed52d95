// Judges the resident memory of a server over a garbage run. A server grows while its caches and its heap fill, and that has
// an end. Growth that goes on in the later half of a long run is a leak.

/** Resident bytes of the server. */
export interface GarbageMemory {
  readonly before: number;
  readonly peak: number;
  readonly after: number;
  /** The most in each quarter of the run. */
  readonly quarters: readonly number[];
  /** The middle one of all values of each quarter: single large requests do not move it. */
  readonly usual: readonly number[];
}

/** Growth that the garbage may cause while it arrives. */
const MOST_GROWTH_BYTES = 512 * 1024 * 1024;
/**
 * Most that the last quarter of a long run may usually use beyond the third one. It was 15 MiB in 560 s of `npm run garbage:http`,
 * and 105 MiB with a node that was made to keep 400 bytes of each request.
 */
const MOST_RISE_BYTES = 48 * 1024 * 1024;
/** In a shorter run the server still warms up in its later half. */
const LONG_MS = 480_000;

/** `resident`: values at even intervals, the first one before the run. */
export function memoryOf(resident: readonly number[]): GarbageMemory {
  const length = Math.ceil(resident.length / 4);
  const parts = [0, 1, 2, 3].map((at) => resident.slice(at * length, (at + 1) * length));
  const quarters = parts.map((part) => Math.max(0, ...part));
  const usual = parts.map((part) => part.toSorted((a, b) => a - b)[Math.floor(part.length / 2)] ?? 0);
  const before = resident[0] ?? 0;
  return { before, peak: Math.max(...quarters), after: resident.at(-1) ?? 0, quarters, usual };
}

/** The reasons why a server may not use its memory so. `longMs`: the length of a run that is judged by its quarters too. */
export function wrongMemory(
  { before, peak, usual }: GarbageMemory,
  longMs: number | undefined,
): readonly string[] {
  const wrong: string[] = [];
  if (peak - before > MOST_GROWTH_BYTES) wrong.push(`memory grew by ${peak - before} bytes`);
  const [, , third = 0, last = 0] = usual;
  if (longMs !== undefined && longMs >= LONG_MS && last - third > MOST_RISE_BYTES)
    wrong.push(
      `memory still grew at the end: by ${last - third} bytes from the third to the last quarter of the run`,
    );
  return wrong;
}
