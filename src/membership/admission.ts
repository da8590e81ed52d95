// The questions that a node asks before it joins, and so before it opens a session, fences or claims: whether
// the nodes that the database lists are alive, and whether they would accept this node. A wrongly configured
// node must not act on a database that others use. Only an answer counts; silence proves nothing, and dead
// nodes delay a start by ASK_MS. Two nodes that start at the same moment do not see each other here.
import { randomBytes, randomUUID } from 'node:crypto';
import { unlessAborted } from '../../actors/abortable.ts';
import { pause, systemClock } from '../../actors/clock.ts';
import type { ControlStore, SessionRef, SessionRow } from '../../actors/storage/store.ts';
import { LeaseStoreUnavailable } from '../../cluster/liveness/lease-store.ts';
import { CONTROL_SLOT } from '../../cluster/liveness/members.ts';
import { addressOf, PEER_LIMITS, type PeerAddress } from '../../cluster/peer/network.ts';
import { type Answer, TcpDialler } from '../../cluster/peer/tcp/tcp-dialler.ts';
import { isClustered } from '../../config/clustered.ts';
import { EXIT, StartError } from '../../config/fatal.ts';
import type { Config } from '../../config/schema.ts';
import { advertisedAddress, credentialsOf } from './peer-credentials.ts';

export interface AdmissionOptions {
  readonly config: Config;
  readonly control: Pick<ControlStore, 'sessions' | 'connectedRuns'>;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  readonly signal: AbortSignal;
}

/** Time limit of one node's answer. All nodes are asked at once. */
const ASK_MS = 1000;
/**
 * Time for a predecessor to end or to begin to leave: a node of the same name, at the same address, or
 * without a cluster.
 */
const PREDECESSOR_MS = 5000;
const LOOK_MS = 500;

interface Listed {
  readonly run: string;
  readonly node: string;
  readonly address: PeerAddress;
  /** The address as text. */
  readonly text: string;
  readonly isLeaving: boolean;
}

type Asked = Listed & { readonly answer: Answer };

/** Rejects with StartError if another node forbids this one to join. */
export async function askAdmission(options: AdmissionOptions): Promise<void> {
  const { config, control, log, signal } = options;
  if (isClustered(config)) {
    await waitForLoner(options);
    await waitForAddress(options);
  }
  const asked = await askAll(options);
  if (asked.length === 0) return;
  const { name } = config.cluster;
  const known = asked.filter(({ answer }) => answer.type === 'accepts' || answer.type === 'refuses');
  const other = known.find(({ answer }) => clusterOf(answer) !== name);
  if (isClustered(config) && other !== undefined) {
    throw refusal(
      `the database belongs to the cluster ${clusterOf(other.answer)}: ${placeOf(other)} is of it, and this node is of ${name}; see cluster.name and storage.url`,
    );
  }
  const connected = await unlessAborted(signal, control.connectedRuns());
  // A program that ends connections is there. It is the listed node if that node has connections to the
  // database.
  const mute = asked.filter(({ run, answer }) => answer.type === 'no-hello' && connected.has(run));
  const [alive] = [...known, ...mute];
  if (!isClustered(config)) {
    if (alive === undefined) return;
    const which = clusterOf(alive.answer) ?? 'of nodes with cluster.link.tls';
    throw refusal(
      `the database is used by the cluster ${which}, of which ${placeOf(alive)} is live: set cluster.redis and cluster.secret to join it, or stop it first`,
    );
  }
  const accepting = known.filter(({ answer }) => answer.type === 'accepts');
  const hostile = [...known.filter(({ answer }) => answer.type === 'refuses'), ...mute];
  const [one] = hostile;
  if (accepting.length === 0 && one !== undefined)
    throw refusal(`${placeOf(one)} does not take this node: ${causeOf(one.answer)}`);
  for (const node of hostile)
    log('warn', `${placeOf(node)} does not take this node`, { cause: causeOf(node.answer) });
  await waitForPredecessor(options, known);
}

/**
 * Waits for a node without a cluster, which owns every shard and has no address. Its connections to the
 * database show that it lives.
 */
async function waitForLoner({ control, signal }: AdmissionOptions): Promise<void> {
  const live = async (): Promise<SessionRow | undefined> => {
    const alone = (await unlessAborted(signal, control.sessions())).filter(isAlone);
    if (alone.length === 0) return undefined;
    const connected = await unlessAborted(signal, control.connectedRuns());
    return alone.find(({ run }) => connected.has(run));
  };
  await waitForEnd(
    live,
    ({ node }) =>
      `the database is used by node ${node}, which is alone, without cluster.redis: stop it first`,
    signal,
  );
}

/**
 * Waits for a live node at this node's address. Of two runs at one address the later considers the earlier
 * dead, because its process must be gone before another can listen there. So no node may join at the address
 * of a live node. A node counts as live if both its lease and its connections to the database say so; after a
 * crash of its machine either may stay for a while.
 */
async function waitForAddress({ config, control, signal }: AdmissionOptions): Promise<void> {
  const { cluster } = config;
  if (cluster.advertise === null && cluster.link.port === 0) return;
  const own = advertisedAddress(cluster, cluster.link.port);
  const live = async (): Promise<SessionRow | undefined> => {
    const there = (await unlessAborted(signal, control.sessions())).filter(
      ({ slot, address, state }) => slot === CONTROL_SLOT && address === own && state !== 'draining',
    );
    if (there.length === 0) return undefined;
    const connected = await unlessAborted(signal, control.connectedRuns());
    const suspects = there.filter(({ run }) => connected.has(run));
    if (suspects.length === 0) return undefined;
    const leased = await unlessAborted(signal, leasedRuns(config));
    return suspects.find(({ run }) => leased.has(run));
  };
  await waitForEnd(
    live,
    ({ node }) =>
      `node ${node} is live and has the address of this node, ${own}: give each node its own cluster.advertise, or cluster.link.host and port, at which the others reach it`,
    signal,
  );
}

/** Empty if Redis is away, since nothing is known of leases then. */
async function leasedRuns({ cluster }: Config): Promise<ReadonlySet<string>> {
  const { createRedisLeaseStore } = await import('../../cluster/liveness/lease-store-redis.ts');
  const leases = createRedisLeaseStore({
    redis: cluster.redis,
    cluster: cluster.name,
    ttlMs: cluster.leaseTtlMs,
  });
  try {
    return new Set((await leases.list()).map(({ run }) => run));
  } catch (error) {
    if (error instanceof LeaseStoreUnavailable) return new Set();
    throw error;
  } finally {
    await leases.close();
  }
}

/**
 * Fences nodes without a cluster that were killed: such a node has no lease and no peers, so no other node
 * detects its death. The joining node fences it, which frees its shards. Such a node that is alive after all,
 * after a long idle time, ends itself when it finds that it was fenced.
 */
export async function fenceLoners(
  {
    control,
    log,
    signal,
  }: Pick<AdmissionOptions, 'log' | 'signal'> & {
    readonly control: Pick<ControlStore, 'sessions' | 'fence'>;
  },
  session: SessionRef,
): Promise<void> {
  for (const { run, node } of (await unlessAborted(signal, control.sessions())).filter(isAlone)) {
    if (await unlessAborted(signal, control.fence(session, { run })))
      log('info', 'a node that was alone was fenced', { run, victim: node });
  }
}

const isAlone = ({ slot, address }: SessionRow): boolean => slot === CONTROL_SLOT && address === null;

async function askAll({ config, control, signal }: AdmissionOptions): Promise<readonly Asked[]> {
  const nodes = listed(await unlessAborted(signal, control.sessions()));
  if (nodes.length === 0) return [];
  const dialler = new TcpDialler({
    identity: { cluster: config.cluster.name, node: config.node.name, run: randomUUID() },
    credentials: credentialsOf(config),
    clock: systemClock,
    limits: PEER_LIMITS,
    randomBytes,
  });
  const ask = (node: Listed): Promise<Asked> =>
    new Promise((resolve) => {
      dialler.ask(node, ASK_MS, (answer) => resolve({ ...node, answer }));
    });
  try {
    return await unlessAborted(signal, Promise.all(nodes.map(ask)));
  } finally {
    dialler.close();
  }
}

/**
 * Nodes of clusters; nodes without a cluster have no address. A node with an address that cannot be dialled
 * is left out.
 */
const listed = (rows: readonly SessionRow[]): readonly Listed[] =>
  rows.flatMap(({ run, node, slot, state, address: text }) => {
    if (slot !== CONTROL_SLOT || text === null) return [];
    const address = addressOf(text);
    const isDialable = address.port >= 1 && address.port <= 65_535;
    return isDialable ? [{ run, node, text, address, isLeaving: state === 'draining' }] : [];
  });

/**
 * Waits for a node of the same name: a supervisor may start the successor before the predecessor has left.
 */
async function waitForPredecessor(options: AdmissionOptions, known: readonly Asked[]): Promise<void> {
  const { name } = options.config.node;
  const staysIn = (asked: readonly Asked[]): Asked | undefined =>
    asked.find(
      ({ node, isLeaving, answer }) =>
        node === name && !isLeaving && (answer.type === 'accepts' || answer.type === 'refuses'),
    );
  if (staysIn(known) === undefined) return;
  await waitForEnd(
    async () => staysIn(await askAll(options)),
    (other) =>
      `another node is called ${name}: ${placeOf(other)} is live; give each node a node.name of its own, or stop that one`,
    options.signal,
  );
}

/** Rejects with the text of `line` if `look` still finds something after PREDECESSOR_MS. */
async function waitForEnd<T>(
  look: () => Promise<T | undefined>,
  line: (found: T) => string,
  signal: AbortSignal,
): Promise<void> {
  const until = systemClock.now() + PREDECESSOR_MS;
  for (let found = await look(); found !== undefined; found = await look()) {
    if (systemClock.now() >= until) throw refusal(line(found));
    await pause(systemClock, LOOK_MS, signal);
    signal.throwIfAborted();
  }
}

const refusal = (line: string): StartError => new StartError(line, { exitCode: EXIT.config });

const placeOf = ({ node, text }: Listed): string => `node ${node} at ${text}`;

const clusterOf = (answer: Answer): string | undefined =>
  answer.type === 'accepts' || answer.type === 'refuses' ? answer.remote.cluster : undefined;

/** The cause, for a node that does not accept this one. */
function causeOf(answer: Answer): string {
  if (answer.type === 'no-hello')
    return `the connection ends before it says who it is (${answer.reason}); see cluster.link.tls, which all nodes have with certificates of one CA, or none`;
  return answer.type === 'refuses' && answer.reason !== 'authentication'
    ? `it refuses with ${answer.reason}`
    : 'cluster.secret differs, or one of the two has none';
}
