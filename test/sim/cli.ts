// `npm run test:sim -- --seeds 1000`: simulations by seed, spread over the processors. It prints a line for
// each seed that fails, then a summary. The exit code is 1 if a seed failed.
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { runTool, toolCommand } from '../../loadtest/command-line/command.ts';
import { type Spread, spread } from './children.ts';
import { type RunResult, runSeed } from './run.ts';
import { isMutation, MUTATIONS, type Mutation } from './verdict/mutations.ts';
import { Summary } from './verdict/summary.ts';

const TRACE_LINES = 4000;
const DETAIL = 300;

const command = toolCommand('test:sim')
  .description(
    'Simulate clusters with faults, by seed. A seed that fails is a line, and the exit code is then 1.',
  )
  .option('--seeds <N>', 'how many seeds', wholeNumber(), 300)
  .option('--from <SEED>', 'the first of them', wholeNumber(), 1)
  .option('--seed <SEED>', 'this seed alone', wholeNumber())
  .option('--trace', 'with --seed: print what happened (default: the result alone)')
  .option('--seconds <N>', 'time of faults in each simulation', wholeNumber(), 17)
  .option(
    '--processes <N>',
    'simulations at a time (default: as many as there are processors)',
    wholeNumber(),
  )
  .option(
    '--mutation <NAME>',
    `takes a guarantee out, to see that the run fails: ${Object.keys(MUTATIONS).join(', ')}`,
    mutationOf,
  )
  .addHelpText('after', examples('npm run test:sim -- --seeds 50', 'npm run test:sim -- --seed 17 --trace'));

await runTool(command, async (signal) => {
  const { seeds: count, from, seed, trace = false, seconds, processes, mutation } = command.opts();
  const what = { seconds, mutation };
  if (seed !== undefined) return await one({ ...what, seed, trace });
  return await many({ ...what, from, count, processes }, signal);
});

async function many(what: Spread, signal: AbortSignal): Promise<number> {
  const summary = new Summary();
  const started = performance.now();
  await spread(what, (result) => {
    summary.add(result);
    if (result.failures.length > 0) console.log(line(result));
    return signal.aborted;
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

function mutationOf(name: string): Mutation {
  if (isMutation(name)) return name;
  throw new InvalidArgumentError(`Expected one of ${Object.keys(MUTATIONS).join(', ')}.`);
}
