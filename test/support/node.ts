// A real node for tests: in this process with its worker threads, on a database of its own and a free port.
// It stops when the test ends.
import type { TestContext } from 'node:test';
import pino from 'pino';
import { configFrom } from '../../config/load.ts';
import { type RunningNode, startNode } from '../../src/node.ts';
import { freshDatabase } from './postgres.ts';

export interface TestNode {
  /** `http://127.0.0.1:PORT/` */
  readonly url: string;
  /** `ws://127.0.0.1:PORT/v1/socket` */
  readonly socketUrl: string;
  readonly port: number;
  readonly metricsUrl: string;
  readonly storageUrl: string;
  stop(): Promise<void>;
  readonly failed: Promise<Error>;
}

export interface TestNodeOptions {
  /** Configuration over the tests' own defaults, in the form of a file. */
  readonly config?: object;
  /** Keys of the section `storage`, beside the URL. */
  readonly storage?: object;
  /** The URL of another node's database, used instead of a fresh one. */
  readonly storageUrl?: string;
  readonly workerModule?: URL;
  readonly foldModule?: URL;
  /** The port of a node that has stopped, to start again at the same place. The default is a free one. */
  readonly port?: number;
  /** Is given each log line of `warn` and above, parsed. */
  readonly onLogLine?: (line: Readonly<Record<string, unknown>>) => void;
}

/** Starts a node. Its log from `warn` on goes to stderr if TROUPE_TEST_LOG is set. */
export async function startTestNode(
  t: Pick<TestContext, 'after'>,
  options: TestNodeOptions = {},
): Promise<TestNode> {
  let node: RunningNode | undefined;
  // The database is dropped after the node that uses it has ended.
  const dropDatabase: (() => unknown)[] = [];
  const storageUrl =
    options.storageUrl ?? (await freshDatabase({ after: (drop) => void dropDatabase.push(drop) }));
  t.after(async () => {
    await node?.stop();
    for (const drop of dropDatabase) await drop();
  });
  const config = configFrom({
    ...withNodePrivate(options.config),
    listen: { ...listenOf(options.config), host: '127.0.0.1', port: options.port ?? 0 },
    storage: { ...options.storage, url: storageUrl },
  });
  const { onLogLine } = options;
  const log =
    onLogLine === undefined
      ? pino({ level: process.env.TROUPE_TEST_LOG ?? 'silent' }, pino.destination(2))
      : pino({ level: 'warn' }, { write: (line: string) => onLogLine(JSON.parse(line)) });
  node = await startNode(config, {
    log,
    ...(options.workerModule === undefined ? {} : { workerModule: options.workerModule }),
    ...(options.foldModule === undefined ? {} : { foldModule: options.foldModule }),
  });
  const running = node;
  return {
    url: running.url,
    socketUrl: `${running.url.startsWith('https') ? 'wss' : 'ws'}://127.0.0.1:${running.port}/v1/socket`,
    port: running.port,
    metricsUrl: running.metricsUrl,
    storageUrl,
    stop: () => running.stop(),
    failed: running.failed,
  };
}

const listenOf = (config: TestNodeOptions['config'] = {}): object =>
  'listen' in config && typeof config.listen === 'object' && config.listen !== null ? config.listen : {};

/** The suites of the gateway run a second time with TROUPE_TEST_NODE_PRIVATE=off (test/run.ts). */
function withNodePrivate(config: TestNodeOptions['config'] = {}): object {
  const nodePrivate = process.env.TROUPE_TEST_NODE_PRIVATE;
  if (nodePrivate === undefined) return config;
  const gateway = 'gateway' in config && typeof config.gateway === 'object' ? config.gateway : {};
  return { ...config, gateway: { nodePrivate, ...gateway } };
}
