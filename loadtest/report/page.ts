// The script of the report, in the browser: draws what the element `data` holds. It has no imports at run time,
// because it stands in the report as it is compiled; uPlot is a global there. It is over 400 lines for the same
// reason: the report holds one script.
import type uPlotType from 'uplot';
import type { CountName } from '../run/figures.ts';
import type { Percentiles, Second } from '../run/result.ts';
import type { ReportData } from './report.ts';

declare const uPlot: typeof uPlotType;

type Child = Node | string;
type Column = readonly (number | null)[];

interface Line {
  readonly label: string;
  readonly color: string;
  readonly values: Column;
  readonly isDashed?: boolean;
}

interface Chart {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

const CHART_HEIGHT = 230;
/** Seconds between two times on an axis. */
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400];

/** An ordinate begins at 0. */
const SCALES: uPlotType.Scales = {
  x: { time: false },
  y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] },
};

const data: ReportData = JSON.parse(document.getElementById('data')?.textContent ?? '{}');
const { result, compared } = data;
/** The last second has the answers that came after the end; it is in the totals alone. */
const seconds = result.seconds.length > 1 ? result.seconds.slice(0, -1) : result.seconds;

draw();
// Canvases do not follow the colours of the page.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

function draw(): void {
  const root = document.getElementById('report');
  root?.replaceChildren(
    ...header(),
    ...criteria(),
    ...comparison(),
    ...charts(),
    ...check(),
    ...used(),
    ...settings(),
  );
}

function header(): Child[] {
  const { scenario, verdict, settings, startedAt, target, generator, times, totals } = result;
  const tile = (name: string, value: string) => el('div', { class: 'tile' }, el('b', {}, value), name);
  const length = Math.max(1, seconds.length);
  const committed = seconds.reduce((sum, second) => sum + second.counts.committed, 0);
  return [
    el('h1', {}, scenario, el('span', { class: `badge ${verdict}` }, verdict)),
    el('p', {}, settings.description),
    el(
      'p',
      { class: 'faint' },
      `${startedAt.replace('T', ' ').slice(0, 16)} UTC · ${seconds.length} s · ${target.isOwn ? 'started by the run' : ''} ${target.urls.join(', ')} · load of ${generator.processes} process(es), ${generator.processors} processors, Node ${generator.node}`,
    ),
    ...(generator.lateSeconds > 0
      ? [
          el(
            'p',
            { class: 'unsure' },
            `The load itself was late in ${Math.round(generator.lateSeconds * 100)} % of the seconds (shaded): its own delay is part of their times.`,
          ),
        ]
      : []),
    el(
      'div',
      { class: 'tiles' },
      tile('clients at most', `${Math.max(0, ...seconds.map((second) => second.clients))}`),
      tile('edits committed a second', number(committed / length)),
      tile('edits committed', `${totals.committed}`),
      tile('edit → commit, p95', milliseconds(times.commit)),
      tile('edit → delivery, p95', milliseconds(times.delivery)),
      tile('longest edit → commit', times.commit.count === 0 ? '–' : `${number(times.commit.max)} ms`),
    ),
  ];
}

function criteria(): Child[] {
  return [
    el('h2', {}, 'Criteria'),
    table(
      ['', 'criterion', 'bound', 'measured'],
      result.criteria.map(({ name, bound, value, verdict, why }) => [
        el('span', { class: verdict }, verdict),
        name,
        bound,
        why === undefined ? value : `${value}: ${why}`,
      ]),
    ),
  ];
}

function comparison(): Child[] {
  if (compared === undefined) return [];
  const percent = (share: number | undefined) =>
    share === undefined ? '–' : `${share > 0 ? '+' : ''}${(share * 100).toFixed(1)} %`;
  return [
    el('h2', {}, `Compared with ${compared.with.join(', ')}`),
    table(
      ['figure', 'before', 'now', 'change', 'noise', ''],
      compared.rows.map(({ figure, unit, old, now, change, noise, verdict }) => [
        figure,
        `${number(old)} ${unit}`,
        `${number(now)} ${unit}`,
        percent(change),
        noise === undefined ? '–' : `± ${(noise * 100).toFixed(1)} %`,
        el('span', { class: verdict }, verdict),
      ]),
    ),
  ];
}

function charts(): Child[] {
  const of = (value: (second: Second) => number | undefined): Column =>
    seconds.map((second) => value(second) ?? null);
  const time = (name: 'commit' | 'delivery' | 'open' | 'http' | 'write', color: string): Line[] =>
    (['p50', 'p95', 'p99'] as const).map((at, index) => ({
      label: at,
      color: [color, '--c2', '--c3'][index] ?? color,
      values: of(({ times }) => (times[name].count === 0 ? undefined : times[name][at])),
    }));
  const nodes = [...new Set(seconds.flatMap(({ servers }) => servers.map(({ node }) => node)))];
  const ofNode = (node: string, value: (reading: Second['servers'][number]) => number | undefined) =>
    of(({ servers }) => {
      const reading = servers.find((each) => each.node === node);
      return reading === undefined ? undefined : value(reading);
    });
  const rate = (title: string, label: string, due: CountName, done: CountName): Chart => ({
    title,
    unit: 'a second',
    lines:
      result.totals[due] === 0
        ? []
        : [
            { label: 'due', color: '--c2', values: of(({ counts }) => counts[due]), isDashed: true },
            { label, color: '--c1', values: of(({ counts }) => counts[done]) },
          ],
  });
  const color = (index: number) => `--c${1 + (index % 5)}`;
  const all: Chart[] = [
    { title: 'Edit → commit', unit: 'ms', lines: time('commit', '--c1') },
    { title: 'Edit → delivery', unit: 'ms', lines: time('delivery', '--c1') },
    {
      title: 'Edits',
      unit: 'a second',
      lines: [
        { label: 'due', color: '--c2', values: of(({ counts }) => counts.asked), isDashed: true },
        { label: 'committed', color: '--c1', values: of(({ counts }) => counts.committed) },
        { label: 'failed', color: '--c5', values: of(({ counts }) => counts.failed) },
      ],
    },
    {
      title: 'Clients and deliveries',
      unit: '',
      lines: [
        { label: 'clients', color: '--c4', values: of(({ clients }) => clients) },
        { label: 'deliveries a second', color: '--c1', values: of(({ counts }) => counts.delivered) },
      ],
    },
    {
      title: 'CPU',
      unit: 'processors',
      lines: [
        ...nodes.map((node, index) => ({
          label: node,
          color: color(index),
          values: ofNode(node, ({ cpu }) => cpu),
        })),
        { label: 'the load', color: '--faint', values: of(({ generator }) => generator.cpu), isDashed: true },
      ],
    },
    {
      title: 'Memory',
      unit: 'MiB',
      lines: nodes.map((node, index) => ({
        label: node,
        color: color(index),
        values: ofNode(node, ({ residentBytes }) =>
          residentBytes === undefined ? undefined : residentBytes / 2 ** 20,
        ),
      })),
    },
    {
      title: 'Delay of event loops',
      unit: 'ms',
      lines: [
        ...nodes.map((node, index) => ({
          label: node,
          color: color(index),
          values: ofNode(node, ({ loopDelayMs }) => loopDelayMs),
        })),
        { label: 'the load', color: '--c2', values: of(({ generator }) => generator.loopDelayMs) },
        { label: 'edits made late', color: '--c3', values: of(({ generator }) => generator.lateMs) },
      ],
    },
    { title: 'Open', unit: 'ms', lines: time('open', '--c1') },
    { title: 'HTTP read', unit: 'ms', lines: time('http', '--c1') },
    rate('HTTP reads', 'answered', 'requests', 'responses'),
    { title: 'HTTP write', unit: 'ms', lines: time('write', '--c1') },
    rate('HTTP writes', 'committed', 'writes', 'written'),
  ];
  const measured = all
    .map((chart) => ({ ...chart, lines: chart.lines.filter(({ values }) => values.some(isThere)) }))
    .filter(({ lines }) => lines.length > 0);
  const marks = result.marks.map(({ atMs, label }) => el('li', {}, `${clockTime(atMs / 1000)}  ${label}`));
  return [
    el('h2', {}, 'Course of the run'),
    ...(marks.length === 0 ? [] : [el('ul', {}, ...marks)]),
    el('div', { class: 'charts' }, ...measured.map(overTime), distribution(), overLoad()),
  ];
}

function overTime({ title, unit, lines }: Chart): HTMLElement {
  // A second is drawn at its end.
  const times = seconds.map(({ second }) => second + 1);
  const { paint, axis } = colors();
  return chart(title, unit, [times, ...lines.map(({ values }) => [...values])], {
    scales: SCALES,
    axes: [
      { ...axis, incrs: TICKS, values: (_, ticks) => ticks.map(clockTime) },
      { ...axis, size: 60, values: (_, ticks) => ticks.map(number) },
    ],
    series: [
      { label: 'time', value: (_, value) => (value === null ? '–' : clockTime(value)) },
      ...lines.map((line) => ({
        label: line.label,
        stroke: paint(line.color),
        width: 1.5,
        ...(line.isDashed === true ? { dash: [5, 4] } : {}),
        points: { show: seconds.length < 3 },
        value: (_: uPlotType, value: number | null) => (value === null ? '–' : number(value)),
      })),
    ],
    hooks: {
      drawClear: [(plot) => shadeLate(plot, paint('--late'))],
      draw: [(plot) => drawMarks(plot, paint('--bad'))],
    },
  });
}

/** Each second at the edits that were due in it: whether times rise with the load. */
function overLoad(): HTMLElement {
  const { paint, axis } = colors();
  const timed = seconds
    .filter(({ times }) => times.commit.count > 0)
    .sort((left, right) => left.counts.asked - right.counts.asked);
  const shares = ['p50', 'p95'] as const;
  const columns = [
    timed.map(({ counts }) => counts.asked),
    ...shares.map((at) => timed.map(({ times }) => times.commit[at])),
  ];
  return chart('Edit → commit over load', 'ms, each second at its edits due', columns, {
    scales: SCALES,
    axes: [axis, { ...axis, size: 60, values: (_, ticks) => ticks.map(number) }],
    series: [
      { label: 'edits due', value: (_, value) => (value === null ? '–' : number(value)) },
      ...shares.map((label, index) => ({
        label,
        stroke: paint(['--c1', '--c2'][index] ?? ''),
        // Points alone: two seconds with nearly the same load have no order.
        paths: () => null,
        points: { show: true, size: 4, width: 1 },
        value: (_: uPlotType, value: number | null) => (value === null ? '–' : number(value)),
      })),
    ],
  });
}

function colors() {
  const style = getComputedStyle(document.documentElement);
  const paint = (name: string): string => style.getPropertyValue(name).trim();
  const grid = { stroke: paint('--grid') };
  return { paint, axis: { stroke: paint('--faint'), grid, ticks: grid } };
}

function shadeLate(plot: uPlotType, color: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = color;
  for (const { second, generator } of seconds) {
    if (!generator.isLate) continue;
    const from = plot.valToPos(Math.max(second, plot.scales.x?.min ?? 0), 'x', true);
    const to = plot.valToPos(second + 1, 'x', true);
    if (to > from) ctx.fillRect(from, bbox.top, to - from, bbox.height);
  }
  ctx.restore();
}

function drawMarks(plot: uPlotType, color: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const { atMs } of result.marks) {
    const x = plot.valToPos(atMs / 1000, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** The time within which a share of the edits were done; the axis has the same space for each further nine. */
function distribution(): HTMLElement {
  const { paint, axis } = colors();
  const points = result.times.commit.curve.filter(([at]) => at < 100).map(([at]) => at);
  const nines = points.map((at) => -Math.log10(1 - at / 100));
  const share = (value: number) => `${Number((100 - 100 * 10 ** -value).toFixed(3))} %`;
  const lines = (['commit', 'delivery'] as const).filter((name) => result.times[name].count > 0);
  const values = lines.map((name) =>
    points.map((at) => result.times[name].curve.find(([p]) => p === at)?.[1] ?? null),
  );
  return chart('Distribution', 'ms, by share of the edits', [nines, ...values], {
    scales: SCALES,
    axes: [
      {
        ...axis,
        splits: () => [0.5, 0.9, 0.99, 0.999, 0.9999].map((part) => -Math.log10(1 - part)),
        values: (_, ticks) => ticks.map(share),
      },
      { ...axis, size: 60, values: (_, ticks) => ticks.map(number) },
    ],
    series: [
      { label: 'share', value: (_, value) => (value === null ? '–' : share(value)) },
      ...lines.map((name, index) => ({
        label: `edit → ${name}`,
        stroke: paint(`--c${index + 1}`),
        width: 1.5,
        value: (_: uPlotType, value: number | null) => (value === null ? '–' : number(value)),
      })),
    ],
  });
}

function chart(
  title: string,
  unit: string,
  columns: (number | null)[][],
  options: Omit<uPlotType.Options, 'width' | 'height'>,
): HTMLElement {
  const place = el('div', {});
  const caption = el('figcaption', {}, `${title} `, el('span', {}, unit));
  const figure = el('figure', {}, caption, place);
  let plot: uPlotType | undefined;
  new ResizeObserver(() => {
    const width = Math.floor(place.clientWidth);
    if (width === 0) return;
    if (plot === undefined)
      plot = new uPlot({ ...options, width, height: CHART_HEIGHT }, columns as uPlotType.AlignedData, place);
    else if (plot.width !== width) plot.setSize({ width, height: CHART_HEIGHT });
  }).observe(place);
  return figure;
}

function check(): Child[] {
  const { checked, errors, losses } = result;
  const told = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, count]) => `${name}: ${count}`)
      .join(', ') || 'none';
  return [
    el('h2', {}, 'What was checked'),
    el(
      'p',
      {},
      `The checker compared ${checked.documents} of ${checked.ofDocuments} documents with their logs: ${checked.edits} acknowledged edits and ${checked.replicas} replicas of ${checked.clients} clients. Broken promises: ${checked.violations}.`,
    ),
    ...(checked.told.length === 0 ? [] : [el('pre', {}, checked.told.join('\n'))]),
    ...(checked.unchecked.length === 0 ? [] : [el('p', {}, `Not checked: ${checked.unchecked.join('; ')}`)]),
    el('p', {}, `Errors: ${told(errors)}. Lost connections: ${told(losses)}.`),
  ];
}

/** Memory and processor time that clients and edits took. */
function used(): Child[] {
  const { memory, usage, totals, seconds: all } = result;
  const lines: Child[] = [];
  const kib = (value: number) => `${number(value / 1024)} KiB`;
  if (memory !== undefined) {
    const server = memory.serverBytes === undefined ? '' : `${kib(memory.serverBytes)} in the nodes, `;
    lines.push(
      el(
        'p',
        {},
        `Memory of each of the ${memory.clients} clients of the beginning: ${server}${kib(memory.loadBytes)} in the load.`,
      ),
    );
  }
  if (usage !== undefined && totals.committed > 0 && all.length > 0) {
    const edits = totals.committed / usage.seconds;
    const micro = (cpu: number) => `${number((cpu / edits) * 1e6)} µs`;
    const { postgres, redis } = usage;
    const databases =
      postgres === undefined
        ? ''
        : ` PostgreSQL: ${micro(postgres.cpu)} of a processor, ${number(postgres.commits / edits)} commits, ${number(postgres.rows / edits)} rows and ${number(postgres.walBytes / edits)} bytes of WAL for an edit; ${kib(postgres.storedBytes)} stored a second.`;
    const redisTold =
      redis === undefined
        ? ''
        : ` Redis: ${number(redis.commands)} commands and ${kib(redis.bytes)} a second.`;
    lines.push(
      el(
        'p',
        {},
        `Processor time, divided by the edits, of deliveries and of idle threads too: ${micro(usage.mainCpu)} in the main threads of the nodes, ${micro(usage.othersCpu)} in their other threads.${databases}${redisTold}`,
      ),
    );
  }
  return lines.length === 0 ? [] : [el('h2', {}, 'What it took'), ...lines];
}

function settings(): Child[] {
  return [
    el(
      'details',
      {},
      el('summary', {}, 'The scenario, with all its keys'),
      el('pre', {}, JSON.stringify(result.settings, undefined, 2)),
    ),
  ];
}

function table(names: readonly string[], rows: readonly (readonly Child[])[]): HTMLElement {
  const head = el('tr', {}, ...names.map((name) => el('th', { scope: 'col' }, name)));
  const body = rows.map((cells) => el('tr', {}, ...cells.map((cell) => el('td', { class: 'number' }, cell))));
  const sheet = el('table', { class: 'sheet' }, el('thead', {}, head), el('tbody', {}, ...body));
  return el('div', { class: 'scroll' }, sheet);
}

function el(name: string, attributes: Readonly<Record<string, string>>, ...children: Child[]): HTMLElement {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function isThere(value: number | null): boolean {
  return value !== null;
}

function number(value: number): string {
  if (value === 0) return '0';
  return Math.abs(value) < 10 ? `${Number(value.toFixed(2))}` : `${Math.round(value)}`;
}

function milliseconds({ count, p95 }: Percentiles): string {
  return count === 0 ? '–' : `${number(p95)} ms`;
}

function clockTime(at: number): string {
  return `${Math.floor(at / 60)}:${String(Math.floor(at % 60)).padStart(2, '0')}`;
}
