// `npm run test:sim -- --seeds 1000`: simulations by seed, spread over the processors. It prints a line for
// each seed that fails, then a summary. The exit code is 1 if a seed failed.
import { parseArgs } from 'node:util';
import { countOption, runCommand, UsageError } from '../../loadtest/cli-options.ts';
import { type Spread, spread } from './children.ts';
import { isMutation, MUTATIONS, type Mutation } from './mutations.ts';
import { type RunResult, runSeed } from './run.ts';
import { Summary } from './summary.ts';

const TRACE_LINES = 4000;
const DETAIL = 300;

const USAGE = `usage: npm run test:sim -- [--seeds 300] [--from 1] [--seconds 17] [--processes P] [--mutation M]
       npm run test:sim -- --seed N [--seconds 17] [--trace] [--mutation M]
  --seeds      how many, from --from on; --seed is one alone, and --trace prints what happened in it
  --seconds    time of faults in each
  --processes  at a time; as many as there are processors unless given
  --mutation   takes a guarantee out, to see that the run fails: ${Object.keys(MUTATIONS).join(', ')}`;

await runCommand(USAGE, async () => {
  const values = read();
  const what = {
    seconds: countOption('seconds', values.seconds, 17),
    mutation: mutationOf(values.mutation),
  };
  if (values.seed !== undefined)
    return await one({ ...what, seed: countOption('seed', values.seed, 1), trace: values.trace === true });
  const { processes } = values;
  return await many({
    ...what,
    from: countOption('from', values.from, 1),
    count: countOption('seeds', values.seeds, 300),
    processes: processes === undefined ? undefined : countOption('processes', processes, 1),
  });
});

function read() {
  const text = { type: 'string' as const };
  try {
    return parseArgs({
      options: {
        seeds: text,
        from: text,
        seconds: text,
        processes: text,
        seed: text,
        trace: { type: 'boolean' },
        mutation: text,
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function many(what: Spread): Promise<number> {
  const summary = new Summary();
  const started = performance.now();
  await spread(what, (result) => {
    summary.add(result);
    if (result.failures.length > 0) console.log(line(result));
    return false;
  });
  console.log(summary.text((performance.now() - started) / 1000));
  return summary.failed === 0 ? 0 : 1;
}

async function one(
  what: Pick<Spread, 'seconds' | 'mutation'> & { seed: number; trace: boolean },
): Promise<number> {
  const { seed, seconds, mutation, trace } = what;
  const lines = trace ? TRACE_LINES : 0;
  const result = await runSeed({ seed, seconds, lines, ...(mutation === undefined ? {} : { mutation }) });
  for (const text of result.lines) console.log(text);
  console.log(`seed ${seed}: ${result.hash}, ${result.events} events, ${result.commits} commits`);
  for (const { rule, detail } of result.failures) console.log(`  ${rule}: ${detail}`);
  return result.failures.length === 0 ? 0 : 1;
}

function line({ seed, failures }: RunResult): string {
  const [first] = failures;
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  return `seed ${seed}: ${first?.rule} ${first?.detail.slice(0, DETAIL)}${more}`;
}

function mutationOf(name: string | undefined): Mutation | undefined {
  if (name === undefined || isMutation(name)) return name;
  throw new UsageError(`there is no guarantee ${name}`);
}
