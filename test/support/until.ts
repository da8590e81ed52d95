// Waits until a condition holds, for tests of what tells nobody when it has happened. Looks are a few milliseconds apart:
// a wait without pauses takes the processor, and PostgreSQL's, from all that run beside it.
const LOOK_MS = 5;

/** Has no limit of its own: the time-out of the test ends what never comes true. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((look) => setTimeout(look, LOOK_MS));
}
