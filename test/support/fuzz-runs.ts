// The number of runs of tests of properties, and the pauses of the writers in races.

/** FUZZ_RUNS multiplies the runs: a whole run of the tests makes fewer than a narrow one, `npm run test:full` more. */
export const fuzzRuns = (runs: number): number => Math.ceil(runs * factor());

/** The pause between two rounds of a writer in a race. In a whole run it is longer, and there are fewer rounds. */
export const racePauseMs = (ms: number): number => ms / Math.min(1, factor());

const factor = (): number => Number(process.env.FUZZ_RUNS ?? '1');
