// The page of a capacity test: one HTML file without a script, in light and dark. The chart is an SVG.

import type { Beyond } from '../model/beyond.ts';
import type { Stampede } from '../model/stampede.ts';
import { STYLE } from '../report/style.ts';
import type { CapacityResult } from './find-capacity.ts';
import { isGood } from './knee.ts';
import type { Search } from './level-search.ts';
import type { MeasuredTakeover } from './measure-capacity.ts';
import { type DatabaseLoad, type Plan, passLines } from './plan.ts';

export function capacityHtml(result: CapacityResult): string {
  const { scenario, settings, measurements, boundMs, startedAt, isInterrupted } = result;
  const { searches, machine } = measurements;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${text(scenario)}: capacity – Troupe load test</title>
<style>${STYLE}
svg { width: 100%; height: auto; background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; }
svg text { font: 12px system-ui, sans-serif; fill: var(--faint); }
svg .axis { stroke: var(--grid); } svg .bound { stroke: var(--bad); stroke-dasharray: 5 4; }
${[1, 2, 3, 4, 5].map((at) => `svg .n${at} { stroke: var(--c${at}); fill: var(--c${at}); }`).join('\n')}
svg .line { fill: none; stroke-width: 1.5; }
</style>
</head>
<body>
<main>
<h1>Capacity: ${text(scenario)}${isInterrupted ? ' <span class="badge interrupted">interrupted</span>' : ''}</h1>
<p class="faint">${text(settings.description)}</p>
<p class="faint">${text(startedAt)} · ${machine.processors} processors · bound: edit → commit, p95 below ${boundMs} ms</p>
${tilesOf(result)}
<h2>Knees</h2>
<p>A level of the load holds when its 95th percentile is below the bound, no error came, and the edits that were due were committed.
The load ran on the same machine where the test started the nodes itself: their knees are those of the machine, shared by nodes, PostgreSQL and load.</p>
${chart(searches, boundMs)}
${table(
  ['nodes', 'search', 'clients', 'without any one level', 'edits a second', 'broken promises'],
  searches.map(({ nodes, pass, knee, violations }) => [
    `${nodes}`,
    `${pass}`,
    knee === undefined ? 'no level held' : `${knee.isAtLeast ? 'at least ' : ''}${knee.clients}`,
    knee === undefined ? '' : `${knee.low} to ${knee.high}`,
    knee === undefined ? '' : number(knee.edits),
    `${violations}`,
  ]),
)}
${result.plan === undefined ? '' : planOf(result.plan, result.passPlans)}
${scalabilityOf(result)}
${costsOf(result)}
${checksOf(result)}
${result.beyond === undefined ? '' : beyondOf(result.beyond, measurements.takeover)}
</main>
</body>
</html>
`;
}

function tilesOf({ plan, measurements: { searches } }: CapacityResult): string {
  const tiles: [string, string][] = [];
  const knees = searches.flatMap(({ nodes, knee }) =>
    nodes === 1 && knee !== undefined ? [knee.clients] : [],
  );
  if (knees.length > 0) tiles.push(['clients of one node here', knees.map(number).join(', ')]);
  if (plan !== undefined) {
    const { value, low, high } = plan.editorsANode;
    tiles.push(['editors of a node with its own machine', `${number(value)}`]);
    tiles.push(['interval (9 of 10)', `${number(low)} to ${number(high)}`]);
    tiles.push(['gives out first', plan.givesOutFirst]);
  }
  const tile = ([name, value]: [string, string]) =>
    `<div class="tile"><b>${text(value)}</b>${text(name)}</div>`;
  return `<div class="tiles">${tiles.map(tile).join('')}</div>`;
}

function planOf({ rows, perThousand, currency }: Plan, passPlans: readonly Plan[]): string {
  const hasPrice = rows.some(({ price }) => price !== undefined);
  return `<h2>Plan</h2>
${table(
  [
    'editors',
    'nodes',
    'by the law, by the model',
    'with one to spare',
    'busiest',
    'PostgreSQL',
    'stored a day',
    ...(hasPrice ? [`a month, ${currency}`] : []),
  ],
  rows.map((row) => [
    number(row.editors),
    row.nodes === undefined ? 'no number is enough' : `${row.nodes}`,
    `${row.nodesByLaw ?? 'none'}, ${row.nodesByModel ?? 'none'}`,
    row.nodesWithSpare === undefined ? '–' : `${row.nodesWithSpare}`,
    row.nodes === undefined ? '–' : `${row.busiest} ${percent(row.utilisation)}`,
    row.postgres === undefined ? '–' : `${row.postgres} at ${percent(row.postgresUtilisation)}`,
    row.storedBytesADay === undefined ? '–' : bytes(row.storedBytesADay),
    ...(hasPrice ? [row.price === undefined ? '–' : number(row.price)] : []),
  ]),
)}
<p>The law is the universal scalability law below, the model is made of the costs below. The larger number counts. The law takes the step from one node to two, where messages
between nodes begin, for work that nodes do one after the other, and may have no number therefore; the model's counts alone then.</p>
${passLines(passPlans)
  .map((line) => `<p>${text(line)}</p>`)
  .join('')}
${perThousand === undefined ? '' : databasesOf(perThousand)}`;
}

function databasesOf(load: DatabaseLoad): string {
  return `<h2>Databases, for 1,000 editors</h2>
${table(
  ['', ''],
  [
    ['PostgreSQL: commits a second', number(load.commits)],
    ['PostgreSQL: rows written a second', number(load.rows)],
    ['PostgreSQL: WAL a second', bytes(load.walBytes)],
    ['PostgreSQL: stored in a day of 24 hours at this rate', bytes(load.storedBytesADay)],
    ...(load.redisCommands === undefined || load.redisBytes === undefined
      ? []
      : [
          [
            'Redis: commands a second (of the whole cluster: they do not grow with the editors)',
            number(load.redisCommands),
          ],
          ['Redis: bytes a second', bytes(load.redisBytes)],
        ]),
  ],
)}`;
}

function scalabilityOf({ scalability, throughput }: CapacityResult): string {
  if (scalability === undefined) return '';
  const { sigma, kappa } = scalability;
  return `<h2>More nodes</h2>
<p>Universal scalability law, fitted to the processor time that an edit takes all nodes: σ = ${number(sigma.value)} (${number(sigma.low)} to ${number(sigma.high)}),
κ = ${number(kappa.value)} (${number(kappa.low)} to ${number(kappa.high)}). Each node has a machine of its own here.</p>
${table(
  ['nodes', 'edits a second', 'interval (9 of 10)'],
  throughput.map(({ nodes, edits }) => [
    `${nodes}`,
    number(edits.value),
    `${number(edits.low)} to ${number(edits.high)}`,
  ]),
)}`;
}

function costsOf({ costs }: CapacityResult): string {
  if (costs === undefined) return '';
  const micro = (seconds: number) => number(seconds * 1e6);
  const names = [
    ['an edit', 'edit'],
    ['a delivery', 'delivery'],
    ['a socket, each second', 'socket'],
    ['an open', 'open'],
    ['a megabyte to clients', 'megabyte'],
    ['a message between two nodes', 'hop'],
    ['a node without work, each second', 'base'],
    ['the same in a cluster, more', 'member'],
    ['the same for each other node, more', 'peer'],
  ] as const;
  const { main, workers, load, postgres, errors } = costs;
  return `<h2>Costs</h2>
<p>Microseconds of a processor. The time of the load for an edit tells how fast the machine was at each level, and the costs are those of its usual speed. Mean error of the fit: main thread ${percent(errors.main)}, other threads ${percent(errors.workers)},
PostgreSQL ${percent(errors.postgres)}, load ${percent(errors.load)}.</p>
${table(
  ['', 'main thread', 'other threads', 'PostgreSQL', 'load'],
  [
    ...names.map(([label, name]) => [
      label,
      micro(main[name]),
      micro(workers[name]),
      name === 'edit' || name === 'open' ? micro(postgres[name]) : '–',
      micro(load[name]),
    ]),
    ['a transaction', '–', '–', micro(postgres.commit), '–'],
  ],
)}`;
}

function checksOf({ checks }: CapacityResult): string {
  if (checks.length === 0) return '';
  return `<h2>The model and the measurements</h2>
<p>The model predicts the knee of each number of nodes on this machine from the costs of fewer nodes; the levels that it is held against are unknown to it.</p>
${table(
  ['nodes', 'predicted clients', 'measured clients', 'error'],
  checks.map(({ nodes, predicted, measured, error }) => [
    `${nodes}`,
    number(predicted),
    number(measured),
    `${error > 0 ? '+' : ''}${percent(error)}`,
  ]),
)}`;
}

function beyondOf(of: Beyond, takeover: MeasuredTakeover | undefined): string {
  const busy = (list: Beyond['busy'], p95Ms: number | undefined) =>
    `${list.map(({ resource, utilisation }) => `${resource} ${percent(utilisation)}`).join(', ')}; p95 ${p95Ms === undefined ? 'without end' : `${number(p95Ms)} ms`}`;
  const back = ({ backMs, mostAttemptsASecond, attempts, longestQueue }: Stampede) =>
    `half are back after ${seconds(backMs.half)}, 99 % after ${seconds(backMs.p99)}, all after ${seconds(backMs.all)}; ${number(attempts)} attempts, at most ${number(mostAttemptsASecond)} in a second, at most ${number(longestQueue)} waiting`;
  return `<h2>On paper: ${of.nodes} nodes and ${number(of.clients)} clients</h2>
${table(
  ['', ''],
  [
    ['load', busy(of.busy, of.p95Ms)],
    ['most clients', `${number(of.knee.clients)}: ${of.knee.resource}`],
    ['one node lost', busy(of.withoutOne.busy, of.withoutOne.p95Ms)],
    [
      'its documents wait',
      `${seconds(of.withoutOne.takeoverMs)}, ${takeover === undefined ? 'assumed: no run here has lost a node' : takeoverOf(takeover)}`,
    ],
    ['its clients come back', back(of.withoutOne.comeback)],
    ['all clients come back at once', back(of.allAtOnce)],
    [
      'one PostgreSQL',
      `is busy to ${percent(of.postgresShare)} at ${number(of.clientsOfOnePostgres)} clients. Above that give it more processors, or divide the organisations among several clusters, each with a PostgreSQL of its own: ${of.databases} for these clients`,
    ],
  ],
)}`;
}

function takeoverOf({ lateSeconds }: MeasuredTakeover): string {
  const late =
    lateSeconds === 0
      ? ''
      : `; the load itself was late in ${percent(lateSeconds)} of the seconds, so it may have been shorter`;
  return `the longest time of an edit when a node was killed here${late}`;
}

const WIDTH = 1100;
const HEIGHT = 360;
const LEFT = 60;
const BOTTOM = 40;
const TOP = 16;

/** The 95th percentile over the edits a second; both axes are logarithmic. */
function chart(searches: readonly Search[], boundMs: number): string {
  const points = searches.flatMap(({ nodes, levels }) =>
    levels.filter(({ asked, p95Ms }) => asked > 0 && p95Ms > 0).map((level) => ({ nodes, level })),
  );
  if (points.length === 0) return '';
  const range = (values: number[]) => [Math.min(...values) / 1.2, Math.max(...values) * 1.2] as const;
  const [lowX, highX] = range(points.map(({ level }) => level.asked));
  const [lowY, highY] = range([boundMs, ...points.map(({ level }) => level.p95Ms)]);
  const place = (value: number, low: number, high: number) => Math.log(value / low) / Math.log(high / low);
  const x = (value: number) => LEFT + place(value, lowX, highX) * (WIDTH - LEFT - 20);
  const y = (value: number) => HEIGHT - BOTTOM - place(value, lowY, highY) * (HEIGHT - BOTTOM - TOP);
  const grid = (low: number, high: number) =>
    [0, 1, 2, 3, 4, 5]
      .flatMap((ten) => [1, 2, 5].map((one) => one * 10 ** ten))
      .filter((at) => at > low && at < high);
  const lines = [
    ...grid(lowX, highX).map(
      (at) =>
        `<line class="axis" x1="${x(at)}" x2="${x(at)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text x="${x(at)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${at}</text>`,
    ),
    ...grid(lowY, highY).map(
      (at) =>
        `<line class="axis" x1="${LEFT}" x2="${WIDTH - 20}" y1="${y(at)}" y2="${y(at)}"/><text x="${LEFT - 8}" y="${y(at) + 4}" text-anchor="end">${at}</text>`,
    ),
    `<line class="bound" x1="${LEFT}" x2="${WIDTH - 20}" y1="${y(boundMs)}" y2="${y(boundMs)}"/>`,
  ];
  const counts = [...new Set(searches.map(({ nodes }) => nodes))];
  const color = (nodes: number) => `n${1 + (counts.indexOf(nodes) % 5)}`;
  const dots = points.map(
    ({ nodes, level }) =>
      `<circle class="${color(nodes)}" cx="${x(level.asked)}" cy="${y(level.p95Ms)}" r="4" fill-opacity="${isGood(level, boundMs) ? 1 : 0.25}"><title>${nodes} node(s), ${level.clients} clients: ${number(level.p95Ms)} ms</title></circle>`,
  );
  const legend = counts.map(
    (nodes, index) =>
      `<circle class="${color(nodes)}" cx="${LEFT + 20 + index * 90}" cy="${TOP + 12}" r="4"/><text x="${LEFT + 30 + index * 90}" y="${TOP + 16}">${nodes} node${nodes === 1 ? '' : 's'}</text>`,
  );
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="The 95th percentile of edit to commit over the edits a second">
${[...lines, ...dots, ...legend].join('\n')}
<text x="${WIDTH - 20}" y="${HEIGHT - 6}" text-anchor="end">edits a second that were due; ms from edit to commit, p95</text>
</svg>`;
}

function table(names: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = names.map((name) => `<th scope="col">${text(name)}</th>`).join('');
  const body = rows.map(
    (cells) => `<tr>${cells.map((cell) => `<td class="number">${text(cell)}</td>`).join('')}</tr>`,
  );
  return `<div class="scroll"><table class="sheet"><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}

const text = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function number(value: number): string {
  if (!Number.isFinite(value)) return 'without end';
  if (value === 0) return '0';
  if (Math.abs(value) < 10) return `${Number(value.toPrecision(2))}`;
  return Math.round(value).toLocaleString('en');
}

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 && share > -0.1 ? 1 : 0)} %`;
const seconds = (ms: number | undefined): string =>
  ms === undefined ? 'more than an hour' : `${(ms / 1000).toFixed(1)} s`;

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let rest = value;
  while (rest >= 1024 && at < units.length - 1) {
    rest /= 1024;
    at += 1;
  }
  return `${rest < 10 ? rest.toFixed(1) : Math.round(rest)} ${units[at]}`;
}
