// `npm run test:sim -- --seeds 1000`: simulations by seed, spread over the processors. A line for each seed that
// fails, then a summary; the exit code is 1 where one failed.
//
//   --seeds N      how many (300)
//   --from S       the first (1)
//   --seconds T    time of faults in each (17)
//   --processes P  at a time (as many as there are processors)
//   --seed X       this one alone; with --trace what happened in it is printed
//   --mutation M   with a guarantee taken out: gate, fence, duplicates, predecessor, settling
import { parseArgs } from 'node:util';
import { spread } from './children.ts';
import { isMutation, MUTATIONS, type Mutation } from './mutations.ts';
import { type RunResult, runSeed } from './run.ts';
import { Summary } from './summary.ts';

const TRACE_LINES = 4000;
const DETAIL = 300;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '300' },
    from: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '17' },
    processes: { type: 'string' },
    seed: { type: 'string' },
    trace: { type: 'boolean' },
    mutation: { type: 'string' },
  },
});

process.exitCode = values.seed === undefined ? await many() : await one(whole('seed', values.seed));

async function many(): Promise<number> {
  const summary = new Summary();
  const started = performance.now();
  const what = {
    from: whole('from', values.from),
    count: whole('seeds', values.seeds),
    seconds: whole('seconds', values.seconds),
    mutation: mutation(),
    processes: values.processes === undefined ? undefined : whole('processes', values.processes),
  };
  await spread(what, (result) => {
    summary.add(result);
    if (result.failures.length > 0) console.log(line(result));
    return false;
  });
  console.log(summary.text((performance.now() - started) / 1000));
  return summary.failed === 0 ? 0 : 1;
}

async function one(seed: number): Promise<number> {
  const lines = values.trace === true ? TRACE_LINES : 0;
  const without = mutation();
  const result = await runSeed({
    seed,
    seconds: whole('seconds', values.seconds),
    lines,
    ...(without === undefined ? {} : { mutation: without }),
  });
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

function mutation(): Mutation | undefined {
  const { mutation: name } = values;
  if (name === undefined || isMutation(name)) return name;
  throw new Error(`--mutation: one of ${Object.keys(MUTATIONS).join(', ')}`);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name}: a whole number above 0`);
  return value;
}
