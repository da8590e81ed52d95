// A clock that all processes of a machine share, in milliseconds.

/** Monotonic, with an origin of the machine's. */
export const clock = (): number => Number(process.hrtime.bigint()) / 1e6;
