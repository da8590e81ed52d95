// Starts the metrics of a node: the look at the main thread, what is read of the process, and the listener, if the
// metrics have an address of their own.
import type { Logger } from 'pino';
import { BEAT_MS, monotonicMs } from '../../actors/liveness/liveness.ts';
import { ThreadSampler } from '../../actors/metrics/thread-sampler.ts';
import { threadUsage } from '../../actors/metrics/thread-usage.ts';
import type { Config } from '../../config/schema.ts';
import { parseHostPort, showHostPort } from '../../config/urls/host-port.ts';
import { version } from '../cli/version.ts';
import { createMetricsServer } from '../http/metrics.ts';
import { listen } from '../http/server.ts';
import { ListenError } from '../listen-error.ts';
import { NodeMetrics } from './node-metrics.ts';
import { processReadings } from './process-readings.ts';

export interface RunningMetrics {
  readonly metrics: NodeMetrics;
  /** The URL of `/metrics`, if the metrics have an address of their own. */
  readonly url: string | undefined;
  close(): Promise<void>;
}

export async function startMetrics(config: Config, log: Pick<Logger, 'info'>): Promise<RunningMetrics> {
  const metrics = new NodeMetrics();
  metrics.readBy(processReadings({ metrics, version: version(), monotonicMs }));
  const server = await openListener(config.metrics.listen, metrics);
  if (server !== undefined) log.info({ url: server.url }, 'the metrics are served');
  const usage = threadUsage();
  const sampler = new ThreadSampler(metrics.thread('main'), usage, monotonicMs);
  const beats = setInterval(() => sampler.beat(), BEAT_MS);
  return {
    metrics,
    url: server?.url,
    close: async () => {
      clearInterval(beats);
      usage.close();
      await server?.close();
    },
  };
}

async function openListener(
  address: string | null,
  metrics: NodeMetrics,
): Promise<{ readonly url: string; close(): Promise<unknown> } | undefined> {
  if (address === null) return undefined;
  const { host, port } = parseHostPort(address);
  const app = createMetricsServer(metrics, host);
  const bound = await listen(app, { host, port }).catch((error: unknown) => {
    throw new ListenError('metrics', error);
  });
  return { url: `http://${showHostPort({ host, port: bound })}/metrics`, close: () => app.close() };
}
