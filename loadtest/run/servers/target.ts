// The servers of a load test: those that `--target` names, or a node or a cluster that the run starts in a
// temporary directory and removes afterwards. Only what the run started is ever stopped, killed or frozen.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { RunFailure, UsageError } from '../../command-line/cli-options.ts';
import { demandAnswer } from '../../nodes/demand-answer.ts';
import { freePorts } from '../../nodes/free-ports.ts';
import { NodeProcess } from '../../nodes/node-process.ts';
import { socketUrlOf, withDataDirectory } from '../../nodes/temporary-node.ts';
import type { ScenarioFault } from '../../scenarios/scenario.ts';
import type { Services } from './usage.ts';

/** A node that the run started. */
export interface OwnNode {
  readonly name: string;
  /** Undefined while it does not run. */
  pid(): number | undefined;
  /** Starts it again after it has ended. */
  restart(): Promise<void>;
}

export interface Target {
  /** Socket URLs of the nodes. */
  readonly urls: readonly string[];
  /** Empty if the run did not start them. */
  readonly nodes: readonly OwnNode[];
  /** PostgreSQL and Redis of the run; undefined if it did not start them. */
  readonly services?: Services;
}

export interface TargetOptions {
  /** URLs of running nodes; empty: start own ones. */
  readonly urls: readonly string[];
  readonly nodes: number;
  readonly token: string | undefined;
}

/** Throws RunFailure if a node does not answer. */
export async function withTarget<T>(options: TargetOptions, use: (target: Target) => Promise<T>): Promise<T> {
  const { urls, nodes, token } = options;
  if (urls.length > 0) {
    const target = { urls: urls.map(urlOf), nodes: [] };
    await Promise.all(target.urls.map((url) => demandAnswer(url, token)));
    return await use(target);
  }
  return await withDataDirectory((directory) =>
    nodes === 1 ? withOneNode(directory, use) : withCluster(directory, nodes, use),
  );
}

function urlOf(url: string): string {
  try {
    return socketUrlOf(url);
  } catch {
    throw new UsageError(`--target is a URL such as http://127.0.0.1:8080, not ${JSON.stringify(url)}`);
  }
}

async function withOneNode<T>(directory: string, use: (target: Target) => Promise<T>): Promise<T> {
  const node = await NodeProcess.start({ storage: { directory }, detached: true });
  try {
    const own: OwnNode = {
      name: 'node-1',
      pid: () => (node.running ? node.pid : undefined),
      restart: () => node.restart(),
    };
    const services: Services = {
      postgresUrl: await node.storageUrl(),
      postmaster: async () => (await node.postmaster())?.pid,
      redisUrl: undefined,
    };
    return await use({ urls: [node.socketUrl], nodes: [own], services });
  } finally {
    node.thaw();
    await node.stop();
    // A node that ended abruptly leaves its postmaster behind.
    await node.killPostmaster();
  }
}

const CLUSTER_MAIN = fileURLToPath(new URL('../../../tools/local-cluster.js', import.meta.url));
const STARTED = /^(node-\d+): http:\/\/127\.0\.0\.1:(\d+)\/ {2}\(process (\d+)\)$/gm;
const CLUSTER_READY_MS = 120_000;

/** Part of the file that `npm run cluster` writes for its nodes. */
const clusterFile = z.object({
  storage: z.object({ url: z.string() }),
  cluster: z.object({ redis: z.string(), secret: z.string() }),
});

/** The cluster is that of `npm run cluster`: PostgreSQL, Redis and the nodes. */
async function withCluster<T>(
  directory: string,
  count: number,
  use: (target: Target) => Promise<T>,
): Promise<T> {
  const port = await freePorts(count);
  const cluster = spawn(
    process.execPath,
    [CLUSTER_MAIN, '--nodes', `${count}`, '--port', `${port}`, '--directory', directory],
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  // The parent may end before it stops the cluster; its second signal ends everything at once.
  const end = (): void => {
    cluster.kill('SIGTERM');
    cluster.kill('SIGTERM');
  };
  process.once('exit', end);
  const again: NodeProcess[] = [];
  let nodes: ClusterNode[] = [];
  try {
    const output = await ready(cluster);
    nodes = [...output.matchAll(STARTED)].map(
      ([, name = '', at, pid]) => new ClusterNode(name, Number(at), Number(pid), directory, again),
    );
    const services = await servicesIn(directory);
    return await use({ urls: nodes.map((node) => node.socketUrl), nodes, services });
  } finally {
    for (const node of nodes) node.thaw();
    await Promise.all(again.map((node) => node.stop()));
    if (cluster.exitCode === null && cluster.signalCode === null) {
      const exited = once(cluster, 'exit');
      cluster.kill('SIGTERM');
      await exited;
    }
    process.off('exit', end);
  }
}

async function servicesIn(directory: string): Promise<Services> {
  const text = await readFile(join(directory, 'cluster.yaml'), 'utf8');
  const { storage, cluster } = clusterFile.parse(parse(text));
  const pidFile = join(directory, 'postgres', 'postgres', 'postmaster.pid');
  return {
    postgresUrl: storage.url,
    postmaster: async () => {
      const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0]);
      return pid > 1 ? pid : undefined;
    },
    redisUrl: cluster.redis,
  };
}

class ClusterNode implements OwnNode {
  readonly name: string;
  readonly #port: number;
  readonly #first: number;
  readonly #directory: string;
  readonly #again: NodeProcess[];
  #current: NodeProcess | undefined;
  #hasEnded = false;

  constructor(name: string, port: number, pid: number, directory: string, again: NodeProcess[]) {
    this.name = name;
    this.#port = port;
    this.#first = pid;
    this.#directory = directory;
    this.#again = again;
  }

  get socketUrl(): string {
    return `ws://127.0.0.1:${this.#port}/v1/socket`;
  }

  pid(): number | undefined {
    if (this.#current !== undefined) return this.#current.running ? this.#current.pid : undefined;
    // Its number may belong to another process later.
    this.#hasEnded ||= !runs(this.#first);
    return this.#hasEnded ? undefined : this.#first;
  }

  async restart(): Promise<void> {
    const text = await readFile(join(this.#directory, 'cluster.yaml'), 'utf8');
    const { storage, cluster } = clusterFile.parse(parse(text));
    this.#current = await NodeProcess.start({
      storage: { url: storage.url },
      port: this.#port,
      detached: true,
      set: [
        'workers=1',
        `node.name=${this.name}`,
        `listen.publicUrl=ws://127.0.0.1:${this.#port}`,
        `cluster.redis=${cluster.redis}`,
        `cluster.secret=${cluster.secret}`,
        'cluster.link.port=0',
      ],
    });
    this.#again.push(this.#current);
  }

  /** A stopped process could not end. */
  thaw(): void {
    const pid = this.pid();
    if (pid !== undefined) process.kill(pid, 'SIGCONT');
  }
}

/** Strikes a node, if it runs. */
export function strike(node: OwnNode, what: ScenarioFault['do']): void {
  const pid = node.pid();
  if (pid === undefined) return;
  if (what === 'kill-node') process.kill(pid, 'SIGKILL');
  else if (what === 'stop-node') process.kill(pid, 'SIGTERM');
  else if (what === 'freeze-node') process.kill(pid, 'SIGSTOP');
}

/** Brings a node back after a fault. */
export async function bringBack(node: OwnNode, what: ScenarioFault['do']): Promise<void> {
  const pid = node.pid();
  if (what !== 'freeze-node') await (pid === undefined ? node.restart() : undefined);
  else if (pid !== undefined) process.kill(pid, 'SIGCONT');
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Its output once it is ready. */
async function ready(cluster: ChildProcess): Promise<string> {
  let output = '';
  return await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new RunFailure(`the cluster ${why}: ${output.trim()}`));
    const timer = setTimeout(() => fail(`was not ready after ${CLUSTER_READY_MS} ms`), CLUSTER_READY_MS);
    const take = (text: string): void => {
      output += text;
      if (!output.includes('The cluster is ready')) return;
      clearTimeout(timer);
      output = output.slice(0, output.indexOf('The cluster is ready'));
      resolve(output);
    };
    cluster.stdout?.setEncoding('utf8').on('data', take);
    cluster.stderr?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-10_000);
    });
    cluster.once('exit', (code) => {
      clearTimeout(timer);
      fail(`ended with ${code}`);
    });
  });
}
