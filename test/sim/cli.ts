// `npm run test:sim -- --seeds 1000`: simulations by seed, spread over the processors. A line for each seed that
// fails, then a summary; the exit code is 1 where one failed.
//
//   --seeds N     how many (300)
//   --from S      the first (1)
//   --seconds T   time of faults in each (20)
//   --seed X      this one alone; with --trace what happened in it is printed
//   --mutation M  with a guarantee taken out: gate, fence, duplicates, predecessor, settling
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMutation, MUTATIONS, type Mutation } from './mutations.ts';
import { type RunResult, runSeed } from './run.ts';
import { Summary } from './summary.ts';

const TRACE_LINES = 4000;
const DETAIL = 300;
/** Seeds that a child is given at a time. */
const SHARE = 4;

interface Options {
  readonly seconds: number;
  readonly mutation: Mutation | undefined;
}

/** What a child tells. Maps do not cross. */
type Told = Omit<RunResult, 'counts'> & { readonly counts: readonly (readonly [string, number])[] };

if (process.send === undefined) process.exitCode = await main();
else serve(optionsOf().options);

async function main(): Promise<number> {
  const { values, options } = optionsOf();
  if (values.seed !== undefined) return await one(whole('seed', values.seed), options, values.trace === true);
  const from = whole('from', values.from);
  const count = whole('seeds', values.seeds);
  const summary = new Summary();
  const started = performance.now();
  await spread(from, count, (result) => {
    summary.add(result);
    if (result.failures.length > 0) console.log(line(result));
  });
  console.log(summary.text((performance.now() - started) / 1000));
  return summary.failed === 0 ? 0 : 1;
}

async function one(seed: number, options: Options, trace: boolean): Promise<number> {
  const result = await run(seed, options, trace ? TRACE_LINES : 0);
  for (const text of result.lines) console.log(text);
  console.log(`seed ${seed}: ${result.hash}, ${result.events} events, ${result.commits} commits`);
  for (const { rule, detail } of result.failures) console.log(`  ${rule}: ${detail}`);
  return result.failures.length === 0 ? 0 : 1;
}

/** Children that ask for seeds until there are none. */
function spread(from: number, count: number, take: (result: RunResult) => void): Promise<void> {
  let next = from;
  const children = Array.from({ length: Math.min(count, availableParallelism()) }, () => {
    const child = fork(import.meta.filename, process.argv.slice(2));
    let left = 0;
    const give = (): void => {
      const seeds: number[] = [];
      while (seeds.length < SHARE && next < from + count) seeds.push(next++);
      left = seeds.length;
      if (left === 0) child.disconnect();
      else child.send(seeds);
    };
    child.on('message', (told: Told) => {
      take({ ...told, counts: new Map(told.counts) });
      if (--left === 0) give();
    });
    give();
    return new Promise<void>((resolve, reject) => {
      child.on('exit', (code) => (left === 0 ? resolve() : reject(new Error(`a child ended with ${code}`))));
    });
  });
  return Promise.all(children).then(() => undefined);
}

function serve(options: Options): void {
  process.on('message', (seeds: readonly number[]) => {
    const all = async (): Promise<void> => {
      for (const seed of seeds) {
        const result = await run(seed, options, 0);
        process.send?.({ ...result, counts: [...result.counts] } satisfies Told);
      }
    };
    all().catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
}

function run(seed: number, { seconds, mutation }: Options, lines: number): Promise<RunResult> {
  return runSeed({ seed, seconds, lines, ...(mutation === undefined ? {} : { mutation }) });
}

function line({ seed, failures }: RunResult): string {
  const [first] = failures;
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  return `seed ${seed}: ${first?.rule} ${first?.detail.slice(0, DETAIL)}${more}`;
}

function optionsOf() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '300' },
      from: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '20' },
      seed: { type: 'string' },
      trace: { type: 'boolean' },
      mutation: { type: 'string' },
    },
  });
  const { mutation } = values;
  if (mutation !== undefined && !isMutation(mutation))
    throw new Error(`--mutation: one of ${Object.keys(MUTATIONS).join(', ')}`);
  const options: Options = { seconds: whole('seconds', values.seconds), mutation };
  return { values, options };
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name}: a whole number above 0`);
  return value;
}
