// The cluster of a chaos run: nodes as processes of their own, each with proxies of its own before its peers,
// its database and its Redis if a fault needs them. It starts and ends the nodes; the faults are in files of
// their own.
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../nodes/free-ports.ts';
import { NodeProcess } from '../nodes/node-process.ts';
import { ChaosProxy } from './chaos-proxy.ts';

/** The services that the nodes run on. They outlive a run. */
export interface ChaosServices {
  readonly postgres: {
    /** URL of an empty database. */
    database(): Promise<string>;
    /** Kills the postmaster with kill -9; it comes back by itself. */
    kill(): Promise<void>;
  };
  readonly redis: {
    readonly port: number;
    /** Kills Redis with kill -9: all its data is lost. */
    kill(): Promise<void>;
    start(): Promise<void>;
  };
  /** Entry of a node whose workers die at certain patches. */
  readonly faultyMain: string;
}

export interface ChaosClusterOptions {
  readonly services: ChaosServices;
  readonly nodes: number;
  readonly secret: string;
  /**
   * Whether peers, database and Redis are reached through proxies. A refused connection is then not seen as
   * refused: the proxy accepts it.
   */
  readonly proxied: boolean;
  readonly faulty: boolean;
  /** `--set` arguments for each of the nodes. */
  readonly set: (node: number) => readonly string[];
  /** Directory for each node's output; undefined to drop it. */
  readonly logs: string | undefined;
}

export interface ChaosNode {
  readonly name: string;
  readonly process: NodeProcess;
  /** The proxy before its own link port: every dialling node comes through it. */
  readonly peers: ChaosProxy | undefined;
  readonly storage: ChaosProxy | undefined;
  readonly redis: ChaosProxy | undefined;
}

export class ChaosCluster {
  readonly nodes: readonly ChaosNode[];
  /** URL of the database itself, without a proxy. */
  readonly storageUrl: string;
  readonly #output: readonly WriteStream[];

  private constructor(nodes: readonly ChaosNode[], storageUrl: string, output: readonly WriteStream[]) {
    this.nodes = nodes;
    this.storageUrl = storageUrl;
    this.#output = output;
  }

  /** Resolves when all nodes report that they are ready. */
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

  /** Loses data that `from` sends to `to`, no matter which of them dialled. Both must have proxies. */
  lose(from: ChaosNode, to: ChaosNode): void {
    to.peers?.lose({ up: true, down: false }, from.name);
    from.peers?.lose({ up: false, down: true }, to.name);
  }

  /** Stops all losses. */
  mend(): void {
    for (const { peers, storage, redis } of this.nodes)
      for (const proxy of [peers, storage, redis]) proxy?.mend();
  }

  async stop(): Promise<void> {
    this.mend();
    await Promise.all(this.nodes.map(({ process }) => process.kill()));
    for (const { peers, storage, redis } of this.nodes)
      for (const proxy of [peers, storage, redis]) proxy?.close();
    for (const stream of this.#output) stream.end();
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

/**
 * The `application_name` in the first bytes to PostgreSQL, which names the caller. '' for a connection
 * without one.
 */
export function nameOf(first: Uint8Array): string {
  return /\0application_name\0([^\0]*)\0/.exec(Buffer.from(first).toString('latin1'))?.[1] ?? '';
}

/**
 * Bytes of a frame's header, and of a hello before its names, as handshake.ts of cluster/peer writes them.
 */
const HELLO_BYTES = 9 + 'troupe-peer'.length + 3 + 16 + 32;

/** The sender of a hello: the second of its names. '' for bytes that are no hello. */
export function callerOf(first: Uint8Array): string {
  const bytes = Buffer.from(first);
  const node = HELLO_BYTES + 1 + (bytes[HELLO_BYTES] ?? 0);
  return bytes.toString('utf8', node + 1, node + 1 + (bytes[node] ?? 0));
}
