// The progress of a load test: a table that refreshes on a terminal, and plain lines elsewhere. It does nothing but
// write to its stream.
import type { Progress } from './load-test.ts';
import type { Percentiles, Second } from './result.ts';

/** Where a plain line is written for every so many seconds. */
const LINE_SECONDS = 5;
const OPENING_LINE_SECONDS = 10;

export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Shows each second as it comes. */
export class ProgressView {
  readonly #out: Output;
  /** Lines of the table that stands on the terminal. */
  #height = 0;
  #told = 0;
  #openingSeconds = 0;

  constructor(out: Output) {
    this.#out = out;
  }

  phase(line: string): void {
    this.clear();
    this.#out.write(`${line}\n`);
  }

  /** Called each second while the clients of the beginning connect. */
  opening(connected: number, all: number): void {
    this.#openingSeconds += 1;
    const line = `${connected} of ${all} clients are connected`;
    if (this.#out.isTTY === true) {
      this.clear();
      this.#out.write(`[${bar(connected / all, this.#out.columns || 80)}] ${line}\n`);
      this.#height = 1;
    } else if (this.#openingSeconds % OPENING_LINE_SECONDS === 0) this.#out.write(`${line}\n`);
  }

  second(second: Second, progress: Progress): void {
    if (this.#out.isTTY === true) {
      this.clear();
      const lines = tableLines(second, progress, this.#out.columns || 80);
      this.#out.write(`${lines.join('\n')}\n`);
      this.#height = lines.length;
      return;
    }
    for (const { atMs, label } of progress.marks.slice(this.#told))
      this.#out.write(`${clockTime(atMs)}  ${label}\n`);
    this.#told = progress.marks.length;
    if ((second.second + 1) % LINE_SECONDS === 0) this.#out.write(`${plainLine(second, progress)}\n`);
  }

  /** Removes the table, so that other text may follow. */
  clear(): void {
    if (this.#height > 0) this.#out.write(`\x1b[${this.#height}A\x1b[0J`);
    this.#height = 0;
  }
}

export function plainLine({ second, clients, counts, times, generator }: Second, progress: Progress): string {
  const parts = [
    clockTime((second + 1) * 1000),
    `${clients} clients`,
    `${counts.committed} of ${counts.asked} edits/s`,
    `commit ${ms(times.commit.p50)}/${ms(times.commit.p95)}/${ms(times.commit.p99)}`,
    `delivery ${ms(times.delivery.p50)}/${ms(times.delivery.p95)}/${ms(times.delivery.p99)} ms`,
    `errors ${told(progress.errors)}`,
    `lost ${told(progress.losses)}`,
  ];
  const http = (name: string, done: number, due: number, { p50, p95, p99 }: Percentiles) =>
    due > 0 ? [`HTTP ${name} ${done} of ${due}/s ${ms(p50)}/${ms(p95)}/${ms(p99)} ms`] : [];
  parts.splice(
    5,
    0,
    ...http('reads', counts.responses, counts.requests, times.http),
    ...http('writes', counts.written, counts.writes, times.write),
  );
  return `${parts.join('  ')}${generator.isLate ? '  (the load itself is late)' : ''}`;
}

/** No line is wider than the terminal, where it would take two. */
export function tableLines(second: Second, progress: Progress, columns: number): string[] {
  const { counts, times, generator, servers, clients } = second;
  const passed = (second.second + 1) * 1000;
  const row = (name: string, values: readonly string[]) =>
    `${name.padEnd(20)}${values.map((value) => value.padStart(10)).join('')}`;
  const time = (name: string, { p50, p95, p99, max, count }: Percentiles) =>
    row(name, count === 0 ? ['–', '–', '–', '–'] : [p50, p95, p99, max].map(ms));
  const lines = [
    `[${bar(passed / progress.lastsMs, columns)}] ${clockTime(passed)} of ${clockTime(progress.lastsMs)}`,
    row('', ['asked', 'committed', 'failed', 'delivered']),
    row('edits/s', [counts.asked, counts.committed, counts.failed, counts.delivered].map(String)),
    row('ms', ['p50', 'p95', 'p99', 'longest']),
    time('edit → commit', times.commit),
    time('edit → delivery', times.delivery),
    time('open', times.open),
    ...(counts.requests > 0 ? [time('HTTP read', times.http)] : []),
    ...(counts.writes > 0 ? [time('HTTP write', times.write)] : []),
    row('', ['clients', 'CPU', 'memory', 'loop ms']),
    row('load', [
      `${clients}`,
      percent(generator.cpu),
      '',
      ms(Math.max(generator.loopDelayMs, generator.lateMs)),
    ]),
    ...servers.map(({ node, cpu, residentBytes, loopDelayMs }) =>
      row(node, [
        '',
        cpu === undefined ? '–' : percent(cpu),
        residentBytes === undefined ? '–' : `${Math.round(residentBytes / 2 ** 20)} MiB`,
        loopDelayMs === undefined ? '–' : ms(loopDelayMs),
      ]),
    ),
    `errors: ${told(progress.errors)}   lost connections: ${told(progress.losses)}`,
    ...(generator.isLate ? ['The load itself is late: its own delay is part of these times.'] : []),
    ...progress.marks.slice(-3).map(({ atMs, label }) => `${clockTime(atMs)}  ${label}`),
  ];
  return lines.map((line) => line.slice(0, Math.max(20, columns - 1)));
}

function bar(share: number, columns: number): string {
  const width = Math.max(10, Math.min(40, columns - 30));
  const full = Math.round(Math.min(1, share) * width);
  return `${'█'.repeat(full)}${'·'.repeat(width - full)}`;
}

const ms = (value: number): string => (value < 10 ? value.toFixed(1) : `${Math.round(value)}`);
const percent = (share: number): string => `${Math.round(share * 100)} %`;

function told(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return parts.length === 0 ? '0' : parts.join(', ');
}

export function clockTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
