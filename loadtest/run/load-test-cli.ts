// `npm run loadtest -- SCENARIO …`: its arguments, its output, its files and its exit code.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { collect, examples, time, wholeNumber } from '../../config/command-line/command-line.ts';
import { capacityCommand, readPrices } from '../capacity/capacity-command.ts';
import { UsageError } from '../command-line/cli-options.ts';
import { runTool, toolCommand } from '../command-line/command.ts';
import { type Compared, compareRuns } from '../report/compare.ts';
import { reportHtml } from '../report/report.ts';
import { readScenario, readyMade } from '../scenarios/read-scenario.ts';
import { resize } from '../scenarios/resize.ts';
import { runLoadTest } from './load-test.ts';
import { ProgressView } from './progress.ts';
import { FORMAT, type LoadResult, type SocketMemory } from './result.ts';
import { demandRoom, raiseOpenFiles } from './servers/open-files.ts';
import { withTarget } from './servers/target.ts';
import { EXIT_CODES } from './verdict.ts';

const MOST_NODES = 16;

const command = toolCommand('loadtest')
  .description(
    'Put the load of a scenario on nodes, time every edit from when it was due, check every promise, and write a report.',
  )
  .argument('<SCENARIO>', `${readyMade().join(', ')}, or the path of a YAML file (docs/capacity.md)`)
  .option(
    '--target <URL>',
    'a running node, once for each (default: start nodes with an embedded PostgreSQL)',
    collect,
  )
  .option(
    '--nodes <N>',
    'nodes to start, from 2 on a cluster, which needs redis-server (default: 1)',
    wholeNumber(1, MOST_NODES),
  )
  .option('--token <JWT>', 'with the role editor for the documents ORG/* (default: none)')
  .option('--org <ORG>', 'organisation of the documents', organisation, 'loadtest')
  .option(
    '--processes <N>',
    'processes of the load (default: as many as the clients need and the machine has processors)',
    wholeNumber(),
  )
  .option('--report <FILE>', 'HTML file of the report (default: one in data/loadtest/)')
  .option('--json <FILE>', 'JSON file of the result (default: beside the report)')
  .option(
    '--compare <FILE>',
    'JSON file of an older run to put beside this one; repeatable (default: none)',
    collect,
  )
  .option(
    '--lasts <TIME>',
    'length of the run; stages, faults and criteria change in proportion (default: that of the scenario)',
    duration,
  )
  .option('--share <FACTOR>', 'of the clients and documents of the scenario, such as 0.1', factor, 1)
  .option(
    '--find-capacity',
    'raise the load until edits take too long, with one node, then two, up to --nodes; write what to buy (default: run the scenario once)',
  )
  .option(
    '--passes <N>',
    'with --find-capacity: how often the knee of each number of nodes is searched',
    wholeNumber(),
    2,
  )
  .addOption(
    new Option('--level <TIME>', 'with --find-capacity: time for which each level is measured')
      .argParser(duration)
      .default(8_000, '8s'),
  )
  .option('--most <N>', 'with --find-capacity: most clients of a level', wholeNumber(), 20_000)
  .option(
    '--prices <FILE>',
    'with --find-capacity: YAML file with the prices of a month: currency, node, postgres, redis, storedGiB (default: none)',
  )
  .option(
    '--node-processors <N>',
    'with --find-capacity: processors of a node that is to be bought (default: those of this machine)',
    wholeNumber(),
  )
  .addHelpText(
    'after',
    `
Exit codes:
  0 passed   1 failed   2 wrong arguments   130 interrupted
  3 unsure: the load itself was too late to tell
${examples(
  'npm run loadtest -- smoke --compare data/loadtest/before.json',
  'npm run loadtest -- office --nodes 3 --lasts 1m --share 0.1',
  'npm run loadtest -- busy --find-capacity --nodes 3',
)}`,
  );

function organisation(text: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError('Expected the name of an organisation.');
}

/** Milliseconds. */
function duration(text: string): number {
  const ms = time(text);
  if (ms >= 1000) return ms;
  throw new InvalidArgumentError('Expected a time from 1s on, such as 30s or 10m.');
}

function factor(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 1000) return value;
  throw new InvalidArgumentError('Expected a number above 0, such as 0.1.');
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

await runTool(command, async (signal) => {
  const [wanted] = command.processedArgs;
  const {
    target: urls = [],
    nodes = 1,
    token,
    org,
    processes,
    compare = [],
    lasts: lastsMs,
    share,
  } = command.opts();
  const { findCapacity, passes, level, most, prices: pricesFile, nodeProcessors } = command.opts();
  const { report = defaultReport(wanted) } = command.opts();
  const { json = report.replace(/(\.html?)?$/, '.json') } = command.opts();
  if (command.opts().nodes !== undefined && urls.length > 0)
    throw new UsageError(
      '--nodes starts nodes, and --target names running ones: only one of them is possible',
    );
  const { name, scenario: whole } = readScenario(wanted);
  const size = { share, ...(lastsMs === undefined ? {} : { lastsMs }) };
  const named = { name, scenario: resize(whole, size) };
  const old = compare.map(readResult);
  raiseOpenFiles();
  if (findCapacity !== true && urls.length === 0) demandRoom(named.scenario, nodes);
  const view = new ProgressView(process.stdout);
  signal.addEventListener('abort', () => view.phase('ending the load'), { once: true });
  if (findCapacity === true) {
    const shared = { ...named, urls, nodes, token, org, processes, signal };
    const prices = pricesFile === undefined ? undefined : readPrices(pricesFile);
    const levelSeconds = Math.max(1, Math.round(level / 1000));
    const onPhase = (line: string) => view.phase(line);
    const search = { passes, levelSeconds, most, nodeProcessors, prices };
    return await capacityCommand({ ...shared, ...search, onPhase }, { report, json });
  }
  return await withTarget({ urls, nodes, token }, async (target) => {
    const result = await runLoadTest({
      ...named,
      target,
      token,
      org,
      processes,
      signal,
      onPhase: (line) => view.phase(line),
      onSecond: (second, progress) => view.second(second, progress),
    });
    view.clear();
    const rows = compareRuns(result, old);
    const compared = old.length === 0 ? undefined : { with: compare, rows };
    for (const file of [report, json]) mkdirSync(dirname(file), { recursive: true });
    writeFileSync(json, `${JSON.stringify(result)}\n`);
    writeFileSync(report, reportHtml({ result, compared }));
    process.stdout.write(`${summaryOf(result)}${rows.map(comparedLine).join('')}`);
    process.stdout.write(`report: ${report}\nresult: ${json}\n`);
    return EXIT_CODES[result.verdict];
  });
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
