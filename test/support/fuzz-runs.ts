// The number of runs of tests of properties, and the pauses of the writers in races.

/** FUZZ_RUNS multiplies the runs: a whole run of the tests makes fewer than a narrow one, `npm run test:full` more. */
export const fuzzRuns = (runs: number): number => Math.ceil(runs * factor());

/** The pause between two rounds of a writer in a race. In a whole run it is ten times as long, and there are fewer rounds. */
export const racePauseMs = (ms: number): number => (factor() < 1 ? 10 * ms : ms);

/** The rounds of a race for which a test waits. A whole run waits for half of them. */
export const raceRounds = (rounds: number): number => (factor() < 1 ? Math.ceil(rounds / 2) : rounds);

const factor = (): number => Number(process.env.FUZZ_RUNS ?? '1');
