// The cluster of a chaos run: nodes as processes of their own, each with proxies of its own before its peers, its
// database and its Redis where a fault needs them. It starts and ends them; what happens to them is the faults' affair.
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { ChaosProxy } from './chaos-proxy.ts';
import { freePort, NodeProcess } from './node-process.ts';

/** What the nodes run on. Outlives a run. */
export interface ChaosServices {
  readonly postgres: {
    /** URL of a database that nothing is in. */
    database(): Promise<string>;
    /** kill -9 of the postmaster, which comes back by itself. */
    kill(): Promise<void>;
  };
  readonly redis: {
    readonly port: number;
    /** kill -9: all that was in it is gone. */
    kill(): Promise<void>;
    start(): Promise<void>;
  };
  /** Entry of a node whose workers die of certain patches. */
  readonly faultyMain: string;
}

export interface ChaosClusterOptions {
  readonly services: ChaosServices;
  readonly nodes: number;
  readonly secret: string;
  /** Peers, database and Redis are reached through proxies. A refused connection is then none: the proxy takes it. */
  readonly proxied: boolean;
  readonly faulty: boolean;
  /** `--set` for each of the nodes. */
  readonly set: (node: number) => readonly string[];
  /** Where each node's output goes; undefined: nowhere. */
  readonly logs: string | undefined;
}

export interface ChaosNode {
  readonly name: string;
  readonly process: NodeProcess;
  /** Before its own link port: whoever dials it comes through here. */
  readonly peers: ChaosProxy | undefined;
  readonly storage: ChaosProxy | undefined;
  readonly redis: ChaosProxy | undefined;
}

export class ChaosCluster {
  readonly nodes: readonly ChaosNode[];
  /** Of the database itself. */
  readonly storageUrl: string;
  private readonly output: readonly WriteStream[];

  private constructor(nodes: readonly ChaosNode[], storageUrl: string, output: readonly WriteStream[]) {
    this.nodes = nodes;
    this.storageUrl = storageUrl;
    this.output = output;
  }

  /** Resolves when all nodes say that they are ready. */
  static async start(options: ChaosClusterOptions): Promise<ChaosCluster> {
    const storageUrl = await options.services.postgres.database();
    const nodes: ChaosNode[] = [];
    const output: WriteStream[] = [];
    const cluster = new ChaosCluster(nodes, storageUrl, output);
    try {
      for (let place = 0; place < options.nodes; place++)
        nodes.push(await startNode(options, place, storageUrl, output));
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  node(place: number): ChaosNode {
    const node = this.nodes[place % this.nodes.length];
    if (node === undefined) throw new RangeError(`no node ${place}`);
    return node;
  }

  /** What `from` says to `to` is lost, whichever of them dialled. Both with proxies. */
  lose(from: ChaosNode, to: ChaosNode): void {
    to.peers?.lose({ up: true, down: false }, from.name);
    from.peers?.lose({ up: false, down: true }, to.name);
  }

  /** Nothing is lost any more, anywhere. */
  mend(): void {
    for (const { peers, storage, redis } of this.nodes)
      for (const proxy of [peers, storage, redis]) proxy?.mend();
  }

  async stop(): Promise<void> {
    this.mend();
    await Promise.all(this.nodes.map(({ process }) => process.kill()));
    for (const { peers, storage, redis } of this.nodes)
      for (const proxy of [peers, storage, redis]) proxy?.close();
    for (const stream of this.output) stream.end();
  }
}

async function startNode(
  options: ChaosClusterOptions,
  place: number,
  storageUrl: string,
  output: WriteStream[],
): Promise<ChaosNode> {
  const { services, proxied } = options;
  const name = `node-${place + 1}`;
  const linkPort = await freePort();
  const database = new URL(storageUrl);
  const proxy = async (targetPort: number, callerOf?: (first: Uint8Array) => string) =>
    proxied ? await ChaosProxy.open({ targetPort, ...(callerOf && { callerOf }) }) : undefined;
  const peers = await proxy(linkPort, callerOf);
  const storage = await proxy(Number(database.port), nameOf);
  const redis = await proxy(services.redis.port);
  if (storage !== undefined) database.host = storage.address;
  const log =
    options.logs === undefined
      ? undefined
      : createWriteStream(join(options.logs, `${name}.log`), { flags: 'a' });
  if (log !== undefined) output.push(log);
  const process = await NodeProcess.start({
    storage: { url: database.href },
    set: [
      `node.name=${name}`,
      'workers=1',
      `cluster.redis=redis://${redis?.address ?? `127.0.0.1:${services.redis.port}`}`,
      `cluster.name=chaos-${database.pathname.slice(1)}`,
      `cluster.secret=${options.secret}`,
      `cluster.link.port=${linkPort}`,
      ...(peers === undefined ? [] : [`cluster.advertise=${peers.address}`]),
      ...options.set(place),
    ],
    ...(options.faulty ? { main: services.faultyMain } : {}),
    ...(log && { onOutput: (text) => log.write(text) }),
  });
  return { name, process, peers, storage, redis };
}

/** Who dials PostgreSQL, by what it says first: its `application_name`. '' for whatever has none. */
export function nameOf(first: Uint8Array): string {
  return /\0application_name\0([^\0]*)\0/.exec(Buffer.from(first).toString('latin1'))?.[1] ?? '';
}

/** Of a frame's header, and of a hello before its names: what handshake.ts of cluster/peer writes. */
const HELLO_BYTES = 9 + 'troupe-peer'.length + 3 + 16 + 32;

/** Who says hello: the second of its names. '' for whatever is no hello. */
export function callerOf(first: Uint8Array): string {
  const bytes = Buffer.from(first);
  const node = HELLO_BYTES + 1 + (bytes[HELLO_BYTES] ?? 0);
  return bytes.toString('utf8', node + 1, node + 1 + (bytes[node] ?? 0));
}
