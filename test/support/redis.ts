// Redis servers for tests: each of one test, on a free port of the loopback address, in one of the forms that
// Troupe supports (one server, a Redis Cluster of one node, a Sentinel with its primary, TLS). Every server
// is killed after its test, and when this process ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from '../../loadtest/nodes/free-ports.ts';
import type { Certificates } from './certificates.ts';
import { findProgram } from './programs/install.ts';
import { REDIS } from './programs/requirements.ts';

export interface TestRedis {
  readonly host: string;
  readonly port: number;
  /** redis://127.0.0.1:port */
  readonly url: string;
  readonly directory: string;
  /** Ends the server as kill -9 does: its data are lost. */
  kill(): Promise<void>;
  /** Ends the server in good order. `start` finds its data. */
  stop(): Promise<void>;
  /** Starts the server on the same port, after `kill` or `stop`. */
  start(): Promise<void>;
  /** Sends SIGSTOP; `thaw` sends SIGCONT. Connections stand, and no call is answered. */
  freeze(): void;
  thaw(): void;
  /**
   * A client with all permissions, closed after the test. A test uses it to look at data or to change them.
   */
  admin(): Promise<Redis>;
}

/** A test, or another owner that runs these functions at its end. */
export interface Afterwards {
  after(close: () => Promise<void>): void;
}

export interface TestRedisOptions {
  /** Further arguments of redis-server. */
  readonly args?: readonly string[];
  /** Used with `--tls-port`: the server speaks TLS only, with certificates of `makeCertificates`. */
  readonly tls?: Certificates;
  readonly sentinel?: boolean;
}

export async function startTestRedis(t: Afterwards, options: TestRedisOptions = {}): Promise<TestRedis> {
  const program = await findProgram(REDIS);
  const directory = await mkdtemp(join(tmpdir(), 'troupe-redis-'));
  const server = new Server(program, directory, await freePort(), options);
  t.after(() => server.end());
  await server.start();
  return server;
}

/** Puts redis-server on the PATH of this process, and so of its child processes. */
export async function putRedisOnPath(): Promise<void> {
  process.env.PATH = [dirname(await findProgram(REDIS)), process.env.PATH].filter(Boolean).join(delimiter);
}

const HOST = '127.0.0.1';
const START_ATTEMPTS = 400;
const START_PAUSE_MS = 25;

class Server implements TestRedis {
  readonly host = HOST;
  readonly port: number;
  readonly url: string;
  readonly directory: string;
  readonly #program: string;
  readonly #options: TestRedisOptions;
  readonly #clients: Redis[] = [];
  #process: ChildProcess | undefined;

  constructor(program: string, directory: string, port: number, options: TestRedisOptions) {
    this.#program = program;
    this.directory = directory;
    this.port = port;
    this.#options = options;
    this.url = `${options.tls ? 'rediss' : 'redis'}://${HOST}:${port}`;
  }

  async start(): Promise<void> {
    const { args = [], tls, sentinel } = this.#options;
    const port = String(this.port);
    // A Sentinel keeps its state in its configuration file, and writes to it.
    const all = [
      ...(sentinel
        ? [join(this.directory, 'sentinel.conf'), '--sentinel']
        : ['--save', '', '--appendonly', 'no']),
      ...['--bind', HOST, '--dir', this.directory, '--logfile', ''],
      ...(tls
        ? ['--port', '0', '--tls-port', port, '--tls-cert-file', tls.cert, '--tls-key-file', tls.key]
        : ['--port', port]),
      ...(tls ? ['--tls-ca-cert-file', tls.ca] : []),
      ...args,
    ];
    if (sentinel) await writeFile(join(this.directory, 'sentinel.conf'), '', { flag: 'a' });
    const child = spawn(this.#program, all, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#process = child;
    running.add(child);
    child.on('exit', () => running.delete(child));
    watchExit();
    await saysReady(child);
  }

  async kill(): Promise<void> {
    await this.#gone('SIGKILL');
    await rm(join(this.directory, 'dump.rdb'), { force: true });
  }

  async stop(): Promise<void> {
    const client = this.#client();
    await client.connect();
    // SAVE writes the data although no save point is configured.
    await client.shutdown('SAVE').catch(() => undefined);
    client.disconnect();
    await this.#gone('SIGTERM');
  }

  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async admin(): Promise<Redis> {
    const client = this.#client();
    this.#clients.push(client);
    await client.connect();
    return client;
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await this.#gone('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }

  async #gone(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  #client(): Redis {
    const { tls } = this.#options;
    const options = { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 };
    const client = new Redis(this.url, tls ? { ...options, tls: tls.client } : options);
    client.on('error', () => undefined);
    return client;
  }
}

const running = new Set<ChildProcess>();
let watching = false;

function watchExit(): void {
  if (watching) return;
  watching = true;
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
  });
}

/** The line that a server, or a Sentinel, logs when it takes connections. */
const READY = /Ready to accept connections|Sentinel ID is/;

function saysReady(child: ChildProcess & { readonly stdout: Readable }): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (READY.test(said)) return;
      said += text;
      if (READY.test(said)) resolve();
    });
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`redis-server did not start: ${said}`)));
  });
}

/** A Redis Cluster of one node, which has all slots. */
export async function startTestRedisCluster(t: Afterwards): Promise<TestRedis> {
  const bus = await freePort();
  const node = await startTestRedis(t, {
    // A node learns its address from other nodes, and this one has none.
    args: ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-announce-ip', HOST],
  });
  const admin = await node.admin();
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await clusterIsUp(node);
  const start = node.start.bind(node);
  return Object.assign(node, {
    start: async () => {
      await start();
      await clusterIsUp(node);
    },
  });
}

async function clusterIsUp(node: TestRedis): Promise<void> {
  const client = await node.admin();
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
    if (String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) return;
    await pause(START_PAUSE_MS);
  }
  throw new Error('the Redis Cluster does not come up');
}

export interface TestSentinel {
  readonly sentinel: TestRedis;
  readonly master: string;
}

/** One Sentinel, whose vote alone decides, over that primary and its replicas. */
export async function startTestSentinel(
  t: Afterwards,
  primary: TestRedis,
  downAfterMs: number,
): Promise<TestSentinel> {
  const sentinel = await startTestRedis(t, { sentinel: true });
  const admin = await sentinel.admin();
  const master = 'test';
  await admin.call('SENTINEL', 'MONITOR', master, primary.host, primary.port, 1);
  await admin.call('SENTINEL', 'SET', master, 'down-after-milliseconds', downAfterMs);
  return { sentinel, master };
}
