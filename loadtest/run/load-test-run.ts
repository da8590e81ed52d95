// A load test as a command: reads the scenario and older results, runs the load or searches the capacity, shows the
// progress, and writes the report and the result.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { capacityCommand, planAgain, readPrices } from '../capacity/capacity-command.ts';
import type { Prices } from '../capacity/plan.ts';
import { UsageError } from '../command-line/cli-options.ts';
import { readJson } from '../command-line/read-json.ts';
import { type Compared, compareRuns } from '../report/compare.ts';
import { reportHtml } from '../report/report.ts';
import { readScenario } from '../scenarios/read-scenario.ts';
import { resize } from '../scenarios/resize.ts';
import { runLoadTest } from './load-test.ts';
import type { LoadTestWords } from './load-test-command.ts';
import { ProgressView } from './progress.ts';
import { FORMAT, type LoadResult, type SocketMemory } from './result.ts';
import { demandRoom, raiseOpenFiles } from './servers/open-files.ts';
import { withTarget } from './servers/target.ts';
import { EXIT_CODES } from './verdict.ts';

/** `wanted`: the scenario. Resolves with the exit code; rejects with UsageError for words that contradict each other. */
export async function runLoadTestCommand(
  wanted: string,
  words: LoadTestWords,
  signal: AbortSignal,
): Promise<number> {
  const { target: urls = [], nodes = 1, token, org, processes, compare = [], lasts: lastsMs, share } = words;
  const { findCapacity, passes, level, most, prices: pricesFile, nodeProcessors } = words;
  const { report = defaultReport(wanted) } = words;
  const { json = report.replace(/(\.html?)?$/, '.json') } = words;
  if (words.nodes !== undefined && urls.length > 0)
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
    if (words.measured !== undefined)
      return planAgain(
        words.measured,
        { name, prices: pricesOf(pricesFile), nodeProcessors },
        { report, json },
      );
    const shared = { ...named, urls, nodes, token, org, processes, signal };
    const prices = pricesOf(pricesFile);
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
      onOpening: (connected, all) => view.opening(connected, all),
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
}

const pricesOf = (file: string | undefined): Prices | undefined =>
  file === undefined ? undefined : readPrices(file);

/** `data/loadtest/smoke-2026-11-29T14-05-33.html` */
function defaultReport(scenario: string): string {
  const name = basename(scenario).replace(/\.ya?ml$/, '');
  return join(
    'data',
    'loadtest',
    `${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.html`,
  );
}

/** Throws UsageError for a file that is no result. */
function readResult(file: string): LoadResult {
  const value = readJson(file);
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
