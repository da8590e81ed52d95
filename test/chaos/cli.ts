// `npm run test:chaos`: a cluster of processes, many clients, one fault after the other, and a table at the
// end.
import { mkdirSync } from 'node:fs';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { examples, wholeNumber } from '../../config/command-line/command-line.ts';
import { chaosRun, type FaultResult } from '../../loadtest/chaos/chaos.ts';
import { isClean, isPrompt, report } from '../../loadtest/chaos/chaos-report.ts';
import { FAULTS } from '../../loadtest/chaos/faults/faults.ts';
import { runTool, seed, toolCommand } from '../../loadtest/command-line/command.ts';
import { GUARANTEES } from './careless-worker.ts';
import { startServices } from './services.ts';

const faultNames = FAULTS.map(({ name }) => name);

const command = toolCommand('test:chaos')
  .description(
    'Run a cluster of processes under load, with one fault after the other, and check every promise.',
  )
  .option('--fault <NAME>', `repeatable (default: all): ${faultNames.join(', ')}`, faultsOf)
  .option('--nodes <N>', 'nodes of the cluster', wholeNumber(2), 3)
  .option('--clients <N>', 'clients of the wire contract', wholeNumber(), 300)
  .option('--sdk <N>', 'clients of the SDK', wholeNumber(0), 12)
  .option('--http <N>', 'programs that write over HTTP', wholeNumber(0), 12)
  .option('--rate <N>', 'edits per second of all clients together', wholeNumber(), 1000)
  .option('--rounds <N>', 'strikes of the faults that strike more than once', wholeNumber(), 3)
  .option('--seconds <N>', 'load before, between and after strikes', wholeNumber(), 5)
  .option('--length <PERCENT>', 'of the full length of faults that last a while', wholeNumber(), 100)
  .option('--seed <N>', 'seed of all random choices (default: another one each time)', seed)
  .option('--logs <DIRECTORY>', 'for the output of the nodes (default: it is not kept)')
  .addOption(
    new Option(
      '--without <GUARANTEE>',
      'take a guarantee out of the nodes, to see that the run fails',
    ).choices(Object.keys(GUARANTEES)),
  )
  .addHelpText('after', examples(`npm run test:chaos -- --fault ${faultNames[0]} --rounds 1`));

function faultsOf(name: string, before: readonly string[] = []): readonly string[] {
  if (faultNames.includes(name)) return [...before, name];
  throw new InvalidArgumentError(`Expected one of ${faultNames.join(', ')}.`);
}

await runTool(command, async (signal) => {
  const {
    fault: wished = faultNames,
    sdk: sdkClients,
    http: httpWriters,
    seconds,
    length,
    logs,
    without,
    ...more
  } = command.opts();
  const { seed = Date.now() % 1_000_000 } = more;
  if (without !== undefined) process.env.TROUPE_TEST_WITHOUT = without;
  const faults = FAULTS.filter(({ name }) => wished.includes(name));
  const closers: (() => Promise<void>)[] = [];
  const results: FaultResult[] = [];
  const interrupted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  try {
    if (logs !== undefined) mkdirSync(logs, { recursive: true });
    const services = await startServices({ after: (close) => void closers.push(close) });
    const run = chaosRun({
      ...more,
      services,
      faults,
      sdkClients,
      httpWriters,
      seed,
      calmMs: seconds * 1000,
      length: length / 100,
      faulty: without !== undefined,
      ...(logs === undefined ? {} : { logs }),
      onLine: (line) => process.stdout.write(`${line}\n`),
      onResult: (result) => results.push(result),
    });
    await Promise.race([run, interrupted]);
    process.stdout.write(`\nseed ${seed}\n${report(results)}`);
    return results.every((result) => isClean(result) && isPrompt(result)) ? 0 : 1;
  } finally {
    for (const close of closers.reverse()) await close();
  }
});
// An interrupted run may still wait for answers that never come.
process.exit();
