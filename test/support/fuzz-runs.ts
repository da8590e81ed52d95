// The number of runs of tests of properties.

/** FUZZ_RUNS multiplies the runs: a whole run of the tests makes fewer than a narrow one, `npm run test:full` more. */
export const fuzzRuns = (runs: number): number => Math.ceil(runs * Number(process.env.FUZZ_RUNS ?? '1'));
