// The costly run: clients send legal messages that are as costly as the limits allow, while bystanders edit
// documents of their own on the same node. It owns the verdict: no bystander notices, no worker ends, memory
// stays within its bound, each request is answered. The shapes are in costly-patches.ts.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Bystanders } from '../clients/bystanders.ts';
import { seededRandom } from '../clients/random-edits.ts';
import { lasted } from '../command-line/command.ts';
import { type Summary, summarize } from '../statistics.ts';
import type { CostlyOrder, CostlyReport } from './costly-process.ts';

export interface CostlyOptions extends CostlyOrder {
  readonly seconds: number;
  /** Returns the resident bytes of the server; undefined if its memory is not watched. */
  readonly memory?: () => Promise<number>;
  /** Most resident bytes that it may have. */
  readonly memoryBound: number;
  readonly onProgress?: (line: string) => void;
  /** Aborted: the run ends early, and judges what there was. */
  readonly signal?: AbortSignal;
}

export interface CostlyResult extends CostlyReport {
  /** Time from edit to commit of the bystanders, ms. */
  readonly bystanders: Summary;
  /** The 99th percentile of the delay of this process's own timers, ms: no measurement can be better. */
  readonly ownDelayMs: number;
  readonly memory: { readonly before: number; readonly peak: number; readonly after: number } | undefined;
}

const WATCH_MS = 250;
const TOLD_EACH_MS = 30_000;

export async function costlyRun(options: CostlyOptions): Promise<CostlyResult> {
  const { url, clients, seed, shapes, seconds, signal = new AbortController().signal } = options;
  const faults: string[] = [];
  const before = (await options.memory?.()) ?? 0;
  let peak = before;
  const bystanders = new Bystanders(url, `bystanders-${seed}`, seededRandom(seed));
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const child = fork(fileURLToPath(new URL('./costly-process.js', import.meta.url)), { detached: true });
  const watch = setInterval(() => {
    options.memory?.().then(
      (bytes) => {
        peak = Math.max(peak, bytes);
      },
      () => undefined,
    );
  }, WATCH_MS);
  try {
    await bystanders.start();
    delay.enable();
    child.send({ url, clients, seed, shapes } satisfies CostlyOrder);
    let told = 0;
    const began = performance.now();
    for (let left = seconds * 1000; left > 0 && !signal.aborted; left -= TOLD_EACH_MS) {
      await lasted(Math.min(left, TOLD_EACH_MS), signal);
      const { count, p50, p99, max } = summarize(bystanders.latencies.slice(told));
      told += count;
      options.onProgress?.(
        `${count} edits of bystanders: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${max.toFixed(0)} ms`,
      );
    }
    const passed = (performance.now() - began) / 1000;
    const report = await reportOf(child);
    await bystanders.stop();
    faults.push(...report.faults, ...(await bystanders.faults()));
    const after = (await options.memory?.()) ?? 0;
    peak = Math.max(peak, after);
    if (peak > options.memoryBound) faults.push(`memory: ${peak} bytes, ${options.memoryBound} are allowed`);
    if (bystanders.latencies.length < 20 * (passed - 1) || bystanders.latencies.length === 0)
      faults.push('the bystanders made too few edits');
    return {
      answers: report.answers,
      played: report.played,
      faults,
      bystanders: summarize(bystanders.latencies),
      ownDelayMs: delay.percentile(99) / 1e6,
      memory: options.memory === undefined ? undefined : { before, peak, after },
    };
  } finally {
    clearInterval(watch);
    delay.disable();
    child.kill('SIGKILL');
    bystanders.close();
  }
}

async function reportOf(child: ChildProcess): Promise<CostlyReport> {
  if (!child.connected) throw new Error('the process of the costly clients has ended');
  const answered = once(child, 'message');
  child.send('stop');
  const [report] = (await Promise.race([
    answered,
    once(child, 'exit').then(() => Promise.reject(new Error('the process of the costly clients has ended'))),
  ])) as [CostlyReport];
  return report;
}
