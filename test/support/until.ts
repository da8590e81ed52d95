// Waits until a condition holds, for tests of events that are not reported. The condition is checked every
// few milliseconds: a wait without pauses would take the processor from everything else, and from PostgreSQL.
const LOOK_MS = 5;

/** Has no limit of its own: the time-out of the test ends a wait whose condition never holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((look) => setTimeout(look, LOOK_MS));
}

const LOOKS = 6_000;
const SLOW_LOOK_MS = 10;

/**
 * Checks until the answer is neither undefined nor false, and returns it. The number of checks is limited,
 * not the time: a machine that stands still for minutes makes none meanwhile. `what` is for the message of
 * the failure.
 */
export async function untilSeen<T>(
  what: string | (() => string),
  look: () => T | false | undefined | Promise<T | false | undefined>,
): Promise<T> {
  for (let looks = 0; looks < LOOKS; looks++) {
    const answer = await look();
    if (answer !== undefined && answer !== false) return answer;
    await new Promise((next) => setTimeout(next, SLOW_LOOK_MS));
  }
  throw new Error(`never: ${typeof what === 'string' ? what : what()}`);
}
