// `npm run test:chaos`: a cluster of processes, many clients, one fault after the other, and a table at the
// end.
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chaosRun } from '../../loadtest/chaos/chaos.ts';
import { isClean, isPrompt, report } from '../../loadtest/chaos/chaos-report.ts';
import { FAULTS } from '../../loadtest/chaos/faults/faults.ts';
import { countOption, Interrupted, runCommand, UsageError } from '../../loadtest/cli-options.ts';
import { onStopSignals } from '../../src/cli/stop-signals.ts';
import { outliveTerminal } from '../../src/cli/terminal.ts';
import { GUARANTEES } from './careless-worker.ts';
import { startServices } from './services.ts';

const USAGE = `usage: npm run test:chaos -- [--fault NAME]... [--nodes 3] [--clients 300] [--sdk 12] [--rate 1000]
    [--rounds 3] [--seconds 5] [--length 100] [--seed N] [--logs DIRECTORY] [--without GUARANTEE]
  --rate     edits per second, by all clients together
  --rounds   strikes of the faults that strike more than once
  --seconds  load before, between and after strikes
  --length   percent of the full length of faults that last a while
  --without  takes a guarantee out of the nodes, to see that the run fails: ${Object.keys(GUARANTEES).join(', ')}
  faults: ${FAULTS.map(({ name }) => name).join(', ')}`;

await runCommand(USAGE, async () => {
  const options = optionsOf();
  const closers: (() => Promise<void>)[] = [];
  outliveTerminal();
  let interrupt: (why: Interrupted) => void = () => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = reject;
  });
  interrupted.catch(() => undefined);
  onStopSignals({
    onWish: () => interrupt(new Interrupted()),
    // Everything that was started ends with this process.
    onInsist: (_signal, code) => process.exit(code),
  });
  try {
    if (options.logs !== undefined) mkdirSync(options.logs, { recursive: true });
    const services = await startServices({ after: (close) => void closers.push(close) });
    const onLine = (line: string) => process.stdout.write(`${line}\n`);
    const results = await Promise.race([chaosRun({ ...options, services, onLine }), interrupted]);
    process.stdout.write(`\nseed ${options.seed}\n${report(results)}`);
    return results.every((result) => isClean(result) && isPrompt(result)) ? 0 : 1;
  } finally {
    for (const close of closers.reverse()) await close();
  }
});
// An interrupted run may still wait for answers that never come.
process.exit();

function optionsOf() {
  const text = { type: 'string' as const };
  const names = [
    'nodes',
    'clients',
    'sdk',
    'rate',
    'rounds',
    'seconds',
    'length',
    'seed',
    'logs',
    'without',
  ] as const;
  let values: Readonly<Partial<Record<(typeof names)[number], string>>> & { readonly fault?: string[] };
  try {
    const options = Object.fromEntries(names.map((name) => [name, text]));
    ({ values } = parseArgs({ options: { ...options, fault: { ...text, multiple: true } } }) as {
      values: typeof values;
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const wished = values.fault ?? FAULTS.map(({ name }) => name);
  const unknown = wished.find((name) => !FAULTS.some((fault) => fault.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no fault ${unknown}`);
  const { logs, without } = values;
  if (without !== undefined) {
    if (!Object.hasOwn(GUARANTEES, without)) throw new UsageError(`there is no guarantee ${without}`);
    process.env.TROUPE_TEST_WITHOUT = without;
  }
  return {
    faulty: without !== undefined,
    faults: FAULTS.filter(({ name }) => wished.includes(name)),
    nodes: countOption('nodes', values.nodes, 3, 2),
    clients: countOption('clients', values.clients, 300),
    sdkClients: countOption('sdk', values.sdk, 12, 0),
    rate: countOption('rate', values.rate, 1000),
    rounds: countOption('rounds', values.rounds, 3),
    calmMs: countOption('seconds', values.seconds, 5) * 1000,
    length: countOption('length', values.length, 100) / 100,
    seed: countOption('seed', values.seed, Date.now() % 1_000_000, 0),
    ...(logs === undefined ? {} : { logs }),
  };
}
