// `npm run loadtest -- SCENARIO …`: its arguments, its output, its files and its exit code.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { countOption, runCommand, UsageError } from '../cli-options.ts';
import { type Compared, compareRuns } from '../report/compare.ts';
import { reportHtml } from '../report/report.ts';
import { readScenario, readyMade } from '../scenarios/read-scenario.ts';
import { runLoadTest } from './load-test.ts';
import { ProgressView } from './progress.ts';
import { FORMAT, type LoadResult } from './result.ts';
import { withTarget } from './target.ts';
import { EXIT_CODES } from './verdict.ts';

const USAGE = `usage: npm run loadtest -- SCENARIO [--target URL]… [--nodes 1] [--token JWT] [--org loadtest] [--processes N] [--report FILE] [--json FILE] [--compare FILE]…
  SCENARIO     ${readyMade().join(', ')}, or the path of a YAML file (docs/capacity.md)
  --target     URL of a running node, such as http://127.0.0.1:8080; once for each node. Without it the run starts nodes of its own
  --nodes      nodes that the run starts; from 2 on a cluster, which needs redis-server
  --token      JWT with the role editor for the documents ORG/*
  --org        organisation of the documents
  --processes  processes of the load; without it as many as the clients need and the machine has processors
  --report     HTML file of the report; without it one in data/loadtest/
  --json       JSON file of the result; without it one beside the report
  --compare    JSON file of an older run, which the report and the output put beside this one; once for each
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
    return { scenario, targets, nodes, token, org, processes, report, json, compare };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
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
  const named = readScenario(args.scenario);
  const old = args.compare.map(readResult);
  const { targets: urls, nodes, token, org, processes } = args;
  const view = new ProgressView(process.stdout);
  const stop = new AbortController();
  const release = onSignals(() => {
    view.phase('ending the load; again: end at once, without a report');
    stop.abort();
  });
  try {
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

function summaryOf({ criteria, checked, generator, scenario, verdict, totals }: LoadResult): string {
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
    ...(late > 0 ? [`The load itself was late in ${late} % of the seconds.`] : []),
    `${scenario}: ${verdict}, ${totals.committed} edits committed of ${totals.asked} that were due\n`,
  ].join('\n');
}
