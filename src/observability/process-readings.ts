// Readings of the process and of its threads, by the main thread. prom-client's default metrics are not used: they
// list all sockets and files of the process in the main thread, which would delay everything on a node that has
// a hundred thousand of them.
import { readFileSync, statSync } from 'node:fs';
import { METRICS, OF_THREAD } from '../../actors/metrics/metrics.ts';
import { cpuSecondsOf } from '../../actors/metrics/thread-usage.ts';
import type { NodeMetrics, Readings } from './node-metrics.ts';

export interface ProcessReadingsOptions {
  readonly metrics: Pick<NodeMetrics, 'threads'>;
  /** The version of Troupe. */
  readonly version: string;
  /** The clock by which threads give signs of life. */
  readonly monotonicMs: () => number;
}

export function processReadings({ metrics, version, monotonicMs }: ProcessReadingsOptions): Readings {
  const threadCpu = new ThreadCpu(metrics);
  const startedAt = Date.now() / 1000 - process.uptime();
  const mostFiles = openFilesAllowed();
  return {
    threadCpu: () => threadCpu.read(),
    threadSilence: () =>
      [...metrics.threads()].map(([thread, counts]) => {
        const silence = (monotonicMs() - counts.cell(OF_THREAD.beatMs)) / 1000;
        return { labels: { thread }, value: Math.max(0, silence) };
      }),
    buildInfo: () => [{ labels: { version, node_version: process.versions.node }, value: 1 }],
    processCpu: processCpuSeconds,
    processMemory: () => process.memoryUsage.rss(),
    processStart: () => startedAt,
    processFiles: openFiles,
    processMaxFiles: () => mostFiles,
  };
}

/** The processor time of each thread, up to now. It never falls, also when a thread ends. */
class ThreadCpu {
  readonly #metrics: ProcessReadingsOptions['metrics'];
  readonly #told = new Map<string, number>();

  constructor(metrics: ProcessReadingsOptions['metrics']) {
    this.#metrics = metrics;
  }

  read(): { readonly labels: { readonly thread: string }; readonly value: number }[] {
    const seconds = new Map<string, number>();
    for (const [thread, counts] of this.#metrics.threads()) {
      const counted = counts.cell(METRICS.threadCpu.at);
      const osThread = counts.cell(OF_THREAD.osThread);
      // A thread counts once a second, and not at all while it hangs. The rest is read here.
      const now = osThread > 0 ? cpuSecondsOf(osThread) : undefined;
      const since = now === undefined ? 0 : now - counts.cell(OF_THREAD.cpuSeconds);
      if (counted > 0) seconds.set(thread, this.#rising(thread, counted + Math.max(0, since)));
    }
    if (seconds.size > 0) {
      const named = [...seconds.values()].reduce((sum, each) => sum + each, 0);
      seconds.set('other', this.#rising('other', Math.max(0, processCpuSeconds() - named)));
    }
    return [...seconds].map(([thread, value]) => ({ labels: { thread }, value }));
  }

  #rising(thread: string, seconds: number): number {
    const told = Math.max(seconds, this.#told.get(thread) ?? 0);
    this.#told.set(thread, told);
    return told;
  }
}

function processCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** From Linux 6.2 on, the size of this folder is the number of open files. Before, it was 0. */
function openFiles(): number | undefined {
  try {
    return statSync('/proc/self/fd').size || undefined;
  } catch {
    return undefined;
  }
}

function openFilesAllowed(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
