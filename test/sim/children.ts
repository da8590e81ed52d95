// Simulations spread over child processes. Each child asks for a few seeds at a time, in order, until there
// are no more or the caller has seen enough. It judges nothing.
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { RunResult } from './run.ts';
import type { Failure } from './verdict/failure.ts';
import type { Mutation } from './verdict/mutations.ts';

export interface Spread {
  readonly from: number;
  readonly count: number;
  /** Duration of the faults in each run, s. */
  readonly seconds: number;
  readonly mutation?: Mutation | undefined;
  /** The default is the number of processors. */
  readonly processes?: number | undefined;
}

/** A message to a child. */
export interface Task {
  readonly seeds: readonly number[];
  readonly seconds: number;
  readonly mutation: Mutation | undefined;
}

/** A message from a child. Messages cannot carry Maps. */
export type Told = Omit<RunResult, 'counts'> & { readonly counts: readonly (readonly [string, number])[] };

/** The most seeds that a child is given at a time. Of few seeds it is given fewer, since `take` may have seen enough. */
const SHARE = 2;

/**
 * Calls `take` with each run as it ends. If `take` returns true, no more seeds are given out; the runs under
 * way still come.
 */
export function spread(what: Spread, take: (result: RunResult) => boolean): Promise<void> {
  const { from, count, seconds, mutation, processes = availableParallelism() } = what;
  let next = from;
  let end = from + count;
  const share = Math.min(SHARE, Math.ceil(count / processes / 4));
  const children = Array.from({ length: Math.min(count, processes) }, () => {
    const child = fork(new URL('./child.js', import.meta.url), {
      execArgv: [],
      // Ctrl-C at a terminal reaches this process alone, which lets the runs under way end.
      detached: true,
    });
    let left = 0;
    const give = (): void => {
      const seeds: number[] = [];
      while (seeds.length < share && next < end) seeds.push(next++);
      left = seeds.length;
      if (left === 0) child.disconnect();
      else child.send({ seeds, seconds, mutation } satisfies Task);
    };
    child.on('message', (told: Told) => {
      if (take({ ...told, counts: new Map(told.counts) })) end = next;
      if (--left === 0) give();
    });
    give();
    return ended(child, () => left > 0);
  });
  return Promise.all(children).then(() => undefined);
}

/**
 * The first seed, from 1 on, whose run detects that a guarantee is taken out, by this rule if there is one. Undefined if no seed of the
 * range does.
 */
export async function firstThatMisses(
  mutation: Mutation,
  {
    within,
    seconds,
    rule,
    processes,
  }: Pick<Spread, 'seconds' | 'processes'> & {
    readonly within: number;
    readonly rule: Failure['rule'] | undefined;
  },
): Promise<RunResult | undefined> {
  let first: RunResult | undefined;
  await spread({ from: 1, count: within, seconds, mutation, processes }, (result) => {
    const isMissed = result.failures.some((failure) => rule === undefined || failure.rule === rule);
    if (isMissed && result.seed < (first?.seed ?? Number.POSITIVE_INFINITY)) first = result;
    return first !== undefined;
  });
  return first;
}

function ended(child: ChildProcess, isBusy: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) =>
      isBusy() ? reject(new Error(`a child of the simulation ended with ${code}`)) : resolve(),
    );
  });
}
