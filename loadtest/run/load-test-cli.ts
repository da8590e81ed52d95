// `npm run loadtest -- SCENARIO …`: its arguments, its output, its files and its exit code.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { readDuration } from '../../config/units.ts';
import { capacityCommand, readPrices } from '../capacity/capacity-command.ts';
import { countOption, runCommand, UsageError } from '../cli-options.ts';
import { type Compared, compareRuns } from '../report/compare.ts';
import { reportHtml } from '../report/report.ts';
import { readScenario, readyMade } from '../scenarios/read-scenario.ts';
import { resize } from '../scenarios/resize.ts';
import { runLoadTest } from './load-test.ts';
import { demandRoom, raiseOpenFiles } from './open-files.ts';
import { ProgressView } from './progress.ts';
import { FORMAT, type LoadResult, type SocketMemory } from './result.ts';
import { withTarget } from './target.ts';
import { EXIT_CODES } from './verdict.ts';

const USAGE = `usage: npm run loadtest -- SCENARIO [--target URL]… [--nodes 1] [--token JWT] [--org loadtest] [--processes N] [--report FILE] [--json FILE] [--compare FILE]… [--lasts 30s] [--share 1]
       npm run loadtest -- SCENARIO --find-capacity [--nodes 1] [--passes 2] [--level 8s] [--most 20000] [--prices FILE] [--node-processors N]
  SCENARIO     ${readyMade().join(', ')}, or the path of a YAML file (docs/capacity.md)
  --target     URL of a running node, such as http://127.0.0.1:8080; once for each node. Without it the run starts nodes of its own
  --nodes      nodes that the run starts; from 2 on a cluster, which needs redis-server
  --token      JWT with the role editor for the documents ORG/*
  --org        organisation of the documents
  --processes  processes of the load; without it as many as the clients need and the machine has processors
  --report     HTML file of the report; without it one in data/loadtest/
  --json       JSON file of the result; without it one beside the report
  --compare    JSON file of an older run, which the report and the output put beside this one; once for each
  --lasts      length of the run; stages, faults and criteria of the scenario change in proportion
  --share      factor of the clients and documents of the scenario, such as 0.1
  --find-capacity    raise the load until edits take too long, with one node, then two, up to --nodes; write what to buy
  --passes     how often the knee of each number of nodes is searched
  --level      time for which each level is measured
  --most       most clients of a level
  --prices     YAML file with the prices of a month: currency, node, postgres, redis, storedGiB
  --node-processors  processors of a node that is to be bought; without it those of this machine
exit code: 0 passed, 1 failed, 2 wrong arguments, 3 unsure (the load itself was too late to tell), 130 interrupted
example: npm run loadtest -- smoke --compare data/loadtest/before.json`;

const MOST_NODES = 16;

interface Arguments {
  readonly scenario: string;
  readonly targets: readonly string[];
  readonly nodes: number;
  readonly token: string | undefined;
  readonly org: string;
  readonly processes: number | undefined;
  readonly report: string;
  readonly json: string;
  readonly compare: readonly string[];
  readonly lastsMs: number | undefined;
  readonly share: number;
  /** Undefined: run the scenario once. */
  readonly capacity: CapacityArguments | undefined;
}

interface CapacityArguments {
  readonly passes: number;
  readonly levelSeconds: number;
  readonly most: number;
  readonly prices: string | undefined;
  readonly nodeProcessors: number | undefined;
}

function readArguments(): Arguments | 'help' {
  try {
    const { values, positionals } = parseArgs({
      options: {
        target: { type: 'string', multiple: true, default: [] },
        nodes: { type: 'string' },
        token: { type: 'string' },
        org: { type: 'string', default: 'loadtest' },
        processes: { type: 'string' },
        report: { type: 'string' },
        json: { type: 'string' },
        compare: { type: 'string', multiple: true, default: [] },
        lasts: { type: 'string' },
        share: { type: 'string' },
        'find-capacity': { type: 'boolean', default: false },
        passes: { type: 'string' },
        level: { type: 'string' },
        most: { type: 'string' },
        prices: { type: 'string' },
        'node-processors': { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    });
    if (values.help) return 'help';
    const [scenario] = positionals;
    if (scenario === undefined || positionals.length > 1) throw new Error('one scenario is expected');
    if (values.nodes !== undefined && values.target.length > 0)
      throw new Error('--nodes starts nodes, and --target names running ones: only one of them is possible');
    const nodes = countOption('nodes', values.nodes, 1);
    if (nodes > MOST_NODES) throw new Error(`--nodes is at most ${MOST_NODES}`);
    if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(values.org))
      throw new Error(`--org is the name of an organisation, not ${JSON.stringify(values.org)}`);
    const processes =
      values.processes === undefined ? undefined : countOption('processes', values.processes, 1);
    const { target: targets, token, org, compare } = values;
    const report = values.report ?? defaultReport(scenario);
    const json = values.json ?? report.replace(/(\.html?)?$/, '.json');
    const lastsMs = values.lasts === undefined ? undefined : durationOption('lasts', values.lasts);
    const share = Number(values.share ?? 1);
    if (!(share > 0 && share <= 1000)) throw new Error('--share is a number above 0, such as 0.1');
    const capacity = values['find-capacity'] ? capacityArguments(values) : undefined;
    const shared = { scenario, targets, nodes, token, org, processes, report, json, compare };
    return { ...shared, lastsMs, share, capacity };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function capacityArguments(values: {
  readonly passes?: string | undefined;
  readonly level?: string | undefined;
  readonly most?: string | undefined;
  readonly prices?: string | undefined;
  readonly 'node-processors'?: string | undefined;
}): CapacityArguments {
  const own = values['node-processors'];
  return {
    passes: countOption('passes', values.passes, 2),
    levelSeconds: Math.max(1, Math.round(durationOption('level', values.level ?? '8s') / 1000)),
    most: countOption('most', values.most, 20_000),
    prices: values.prices,
    nodeProcessors: own === undefined ? undefined : countOption('node-processors', own, 1),
  };
}

/** Milliseconds. */
function durationOption(name: string, value: string): number {
  const read = readDuration(value);
  if (typeof read === 'number' && read >= 1000) return read;
  throw new Error(`--${name} is a time such as 30s or 10m, not ${JSON.stringify(value)}`);
}

/** `data/loadtest/smoke-2026-11-29T14-05-33.html` */
function defaultReport(scenario: string): string {
  const name = basename(scenario).replace(/\.ya?ml$/, '');
  return join(
    'data',
    'loadtest',
    `${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.html`,
  );
}

await runCommand(USAGE, async () => {
  const args = readArguments();
  if (args === 'help') {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const { name, scenario: whole } = readScenario(args.scenario);
  const { lastsMs, share } = args;
  const size = { share, ...(lastsMs === undefined ? {} : { lastsMs }) };
  const named = { name, scenario: resize(whole, size) };
  const old = args.compare.map(readResult);
  const { targets: urls, nodes, token, org, processes, capacity } = args;
  raiseOpenFiles();
  if (capacity === undefined && urls.length === 0) demandRoom(named.scenario, nodes);
  const view = new ProgressView(process.stdout);
  const stop = new AbortController();
  const release = onSignals(() => {
    view.phase('ending the load; again: end at once, without a report');
    stop.abort();
  });
  try {
    if (capacity !== undefined) {
      const shared = { ...named, urls, nodes, token, org, processes, signal: stop.signal };
      const prices = capacity.prices === undefined ? undefined : readPrices(capacity.prices);
      const onPhase = (line: string) => view.phase(line);
      return await capacityCommand({ ...shared, ...capacity, prices, onPhase }, args);
    }
    return await withTarget({ urls, nodes, token }, async (target) => {
      const result = await runLoadTest({
        ...named,
        target,
        token,
        org,
        processes,
        signal: stop.signal,
        onPhase: (line) => view.phase(line),
        onSecond: (second, progress) => view.second(second, progress),
      });
      view.clear();
      const rows = compareRuns(result, old);
      const compared = old.length === 0 ? undefined : { with: args.compare, rows };
      for (const file of [args.report, args.json]) mkdirSync(dirname(file), { recursive: true });
      writeFileSync(args.json, `${JSON.stringify(result)}\n`);
      writeFileSync(args.report, reportHtml({ result, compared }));
      process.stdout.write(`${summaryOf(result)}${rows.map(comparedLine).join('')}`);
      process.stdout.write(`report: ${args.report}\nresult: ${args.json}\n`);
      return EXIT_CODES[result.verdict];
    });
  } finally {
    release();
  }
});

/** Throws UsageError for a file that is no result. */
function readResult(file: string): LoadResult {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof value !== 'object' || value === null || Reflect.get(value, 'format') !== FORMAT)
    throw new UsageError(`${file} is not the result of a load test of this version`);
  return value as LoadResult;
}

function comparedLine({ figure, unit, old, now, change, noise, verdict }: Compared): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const changed =
    change === undefined || noise === undefined
      ? ''
      : `, ${change > 0 ? '+' : ''}${percent(change)} (noise ± ${percent(noise)})`;
  return `${verdict.padEnd(6)}  ${figure}: ${now.toFixed(2)} ${unit}, before ${old.toFixed(2)}${changed}\n`;
}

/** The first signal ends the load, the second the process. */
function onSignals(end: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let count = 0;
  const take = (): void => {
    count += 1;
    if (count === 1) end();
    else process.exit(EXIT_CODES.interrupted);
  };
  for (const signal of signals) process.on(signal, take);
  return () => {
    for (const signal of signals) process.off(signal, take);
  };
}

function memoryLine({ clients, loadBytes, serverBytes }: SocketMemory): string {
  const kib = (value: number) => `${(value / 1024).toFixed(1)} KiB`;
  const server = serverBytes === undefined ? '' : `${kib(serverBytes)} in the nodes, `;
  return `Memory of each of the ${clients} clients of the beginning: ${server}${kib(loadBytes)} in the load.`;
}

function summaryOf({ criteria, checked, generator, memory, scenario, verdict, totals }: LoadResult): string {
  const width = Math.max(...criteria.map(({ name }) => name.length));
  const sign = { passed: 'ok    ', failed: 'FAILED', unsure: 'UNSURE' } as const;
  const lines = criteria.map(
    ({ name, value, bound, verdict: each, why }) =>
      `${sign[each]}  ${name.padEnd(width)}  ${value} (${bound})${why === undefined ? '' : `: ${why}`}`,
  );
  const late = Math.round(generator.lateSeconds * 100);
  return [
    ...lines,
    `The checker compared ${checked.documents} of ${checked.ofDocuments} documents with their logs: ${checked.edits} acknowledged edits and ${checked.replicas} replicas of ${checked.clients} clients.`,
    ...checked.told.map((line) => `  ${line}`),
    ...checked.unchecked.map((line) => `  not checked: ${line}`),
    ...(memory === undefined ? [] : [memoryLine(memory)]),
    ...(late > 0 ? [`The load itself was late in ${late} % of the seconds.`] : []),
    `${scenario}: ${verdict}, ${totals.committed} edits committed of ${totals.asked} that were due\n`,
  ].join('\n');
}
