// The chaos run: a cluster of real processes under the load of many clients, and one fault after the other.
// After each fault everything that any client was ever told is compared with the log. It judges by the
// checker and by the demands of the faults; the faults are in files of their own.
import { randomBytes } from 'node:crypto';
import { checkWithHttp } from '../checker/http-check.ts';
import type { HttpRecord } from '../checker/http-records.ts';
import { readLogs, readStored } from '../checker/log.ts';
import type { Violation } from '../checker/records.ts';
import { seededRandom } from '../clients/random-edits.ts';
import { ChaosCluster, type ChaosServices } from './chaos-cluster.ts';
import { ChaosDatabase } from './chaos-database.ts';
import { ChaosLoad } from './chaos-load.ts';
import { isWithin } from './chaos-pauses.ts';
import { Scene, type Seen } from './chaos-scene.ts';
import type { Fault } from './faults/fault.ts';

export interface ChaosOptions {
  readonly services: ChaosServices;
  readonly faults: readonly Fault[];
  readonly nodes: number;
  readonly clients: number;
  readonly sdkClients: number;
  /** Programs that write over HTTP. */
  readonly httpWriters: number;
  /** Edits per second of all clients together. */
  readonly rate: number;
  readonly rounds: number;
  /** Load before, between and after strikes. */
  readonly calmMs: number;
  /** Length of faults that last for a time: 1 is the full length. */
  readonly length: number;
  readonly leastShare?: number | undefined;
  readonly seed: number;
  /** Whether all nodes are faulty ones, also for faults that ask for others. */
  readonly faulty?: boolean;
  /** Directory for the nodes' output. */
  readonly logs?: string;
  readonly onLine?: (line: string) => void;
  /** Called with the result of each fault. */
  readonly onResult?: (result: FaultResult) => void;
}

export interface FaultResult {
  readonly fault: string;
  readonly seen: readonly Seen[];
  /** Acknowledged edits of the whole run of this fault, calm times included, and per second. */
  readonly acknowledged: number;
  readonly perSecond: number;
  /** Submits that had committed before they were sent again. */
  readonly repeated: number;
  readonly http: HttpCounts;
  readonly violations: readonly Violation[];
  /** Strikes by which documents stood still for longer than the fault's bound. */
  readonly overlong: readonly string[];
  /** Demands of the fault that were not met. */
  readonly unmet: readonly string[];
  /**
   * The longest time for which this process did not turn its event loop, ms: no pause is measured more
   * exactly.
   */
  readonly lagMs: number;
}

/** The writes over HTTP of a run. */
export interface HttpCounts {
  readonly acknowledged: number;
  /** Acknowledged ones that were sent more than once, under their key. */
  readonly repeated: number;
  /** Those with `If-Match` that were committed, and those that were refused for it. */
  readonly matched: number;
  readonly refused: number;
}

/** Rejects when a cluster does not start. A fault that cannot be carried through is an unmet demand. */
export async function chaosRun(options: ChaosOptions): Promise<readonly FaultResult[]> {
  const results: FaultResult[] = [];
  const random = seededRandom(options.seed);
  let cluster: ChaosCluster | undefined;
  let kind: Fault['cluster'] | undefined;
  const kinds = new Set(options.faults.map((fault) => fault.cluster));
  try {
    for (const [place, fault] of options.faults.entries()) {
      // A cluster is expensive to start; a faulty one can replace a plain one.
      const wanted = fault.cluster === 'plain' && kinds.has('faulty') ? 'faulty' : fault.cluster;
      if (cluster === undefined || kind !== wanted) {
        await cluster?.stop();
        kind = wanted;
        cluster = await startCluster(options, kind);
      }
      options.onLine?.(`${fault.name} (${place + 1}/${options.faults.length})`);
      const result = await runFault(options, cluster, fault, random);
      results.push(result);
      options.onResult?.(result);
      // A broken cluster would break the next fault too.
      if (result.unmet.length > 0) {
        await cluster.stop();
        cluster = undefined;
      }
    }
    return results;
  } finally {
    await cluster?.stop();
  }
}

const SETTINGS = ['shutdown.timeoutMs=60s', 'log.level=info'];

async function startCluster(options: ChaosOptions, kind: Fault['cluster']): Promise<ChaosCluster> {
  const { services, nodes, logs } = options;
  return await ChaosCluster.start({
    services,
    nodes,
    secret: randomBytes(24).toString('hex'),
    proxied: kind === 'proxied',
    faulty: options.faulty === true || kind === 'faulty',
    set: () => SETTINGS,
    logs,
  });
}

async function runFault(
  options: ChaosOptions,
  cluster: ChaosCluster,
  fault: Fault,
  random: () => number,
): Promise<FaultResult> {
  const { clients, sdkClients, httpWriters, rate, services, rounds, calmMs, length, leastShare } = options;
  const org = `${fault.name}-${Math.floor(random() * 36 ** 4).toString(36)}`;
  const database = new ChaosDatabase(cluster.storageUrl);
  const load = new ChaosLoad({
    cluster,
    org,
    clients,
    sdkClients,
    httpWriters,
    rate,
    lossy: fault.lossy === true,
    crowded: fault.crowded === true,
    random,
  });
  const scene = new Scene({
    cluster,
    load,
    database,
    services,
    org,
    rounds,
    calmMs,
    length,
    leastShare,
    onLine: (line) => options.onLine?.(line),
  });
  const lag = watchLag();
  let lagMs = 0;
  let violations: readonly Violation[] = [];
  const carry = (demand: string, step: () => Promise<void>): Promise<boolean> =>
    step().then(
      () => true,
      (error: unknown) => {
        scene.demand(false, `${demand}: ${error instanceof Error ? error.message : String(error)}`);
        return false;
      },
    );
  await carry('it can be carried through', async () => {
    await scene.healed();
    await load.start();
    await fault.run(scene);
    await scene.calm();
  });
  lagMs = lag();
  // After the log has been read, no client may be told of another commit.
  if (!(await carry('all edits end', () => load.stop()))) load.close();
  await carry('it can be judged', async () => {
    violations = await judge(cluster, load, random);
  });
  try {
    const repeated = load
      .records()
      .flatMap(({ submits }) => [...submits.values()])
      .filter(
        ({ sends, fate, seenAtLastSend }) =>
          sends > 1 && fate.type === 'ok' && fate.version <= seenAtLastSend,
      );
    if (fault.lossy)
      scene.demand(repeated.length > 0, 'some submits had committed before they were sent again');
    const { edits, perSecond } = load.acknowledged();
    const seen = await scene.end();
    return {
      fault: fault.name,
      seen,
      overlong: overlong(fault, seen, lagMs),
      acknowledged: edits,
      perSecond,
      repeated: repeated.length,
      http: httpCounts(load.httpRecords()),
      violations,
      unmet: scene.unmet,
      lagMs,
    };
  } finally {
    lag();
    load.close();
    await database.close();
  }
}

function httpCounts(records: readonly HttpRecord[]): HttpCounts {
  const writes = records.flatMap((record) => record.writes).filter(({ isUsed }) => !isUsed);
  const kept = writes.filter(({ fate }) => fate.type === 'ok');
  return {
    acknowledged: kept.length,
    repeated: kept.filter(({ sends }) => sends > 1).length,
    matched: kept.filter(({ ifVersion }) => ifVersion !== undefined).length,
    refused: writes.filter(({ fate }) => fate.type === 'rejected' && fate.code === 'precondition-failed')
      .length,
  };
}

function overlong({ pauseBound }: Fault, seen: readonly Seen[], lagMs: number): readonly string[] {
  if (pauseBound === undefined) return [];
  return seen
    .filter(({ struckPauses }) => !isWithin(pauseBound, struckPauses, lagMs))
    .map(({ strike }) => `${strike}: the ${pauseBound.of} of the pauses is below ${pauseBound.ms} ms`);
}

async function judge(
  cluster: ChaosCluster,
  load: ChaosLoad,
  random: () => number,
): Promise<readonly Violation[]> {
  const reader = cluster.nodes.find(({ process }) => process.running);
  if (reader === undefined) throw new Error('no node is left');
  const logs = await readLogs({ url: reader.process.socketUrl, random }, load.docs);
  return checkWithHttp(await readStored(cluster.storageUrl, logs), load.records(), load.httpRecords());
}

const LAG_TICK_MS = 10;

/** Returns the function that ends the watch and returns the longest lag. */
function watchLag(): () => number {
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - LAG_TICK_MS);
    last = now;
  }, LAG_TICK_MS);
  return () => {
    clearInterval(timer);
    return longest;
  };
}
