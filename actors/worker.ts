// The worker thread's entry: one task per worker of the host pool. The task opens a session, runs a Host
// until it is told to stop, and ends. It is told which shards to claim and to give away. The module must
// not throw at import: that would empty the pool for good.
import { type MessagePort, threadId } from 'node:worker_threads';
import { systemClock } from './clock.ts';
import type { Folded, FoldRequest } from './compute/fold.ts';
import { buffersOf, type SnapshotJob } from './compute/snapshot-job.ts';
import { LOCAL_LINK } from './host/gateway-links.ts';
import { Host, type HostLimits } from './host/host.ts';
import type { Transport } from './link/link.ts';
import { BEAT_MS, CONFIRM_MS, Liveness, monotonicMs } from './liveness/liveness.ts';
import { Progress } from './liveness/progress.ts';
import { loadLimits } from './loading/load-queue.ts';
import { warmUp } from './loading/warm-up.ts';
import { ThreadCounts } from './metrics/thread-counts.ts';
import { ThreadSampler } from './metrics/thread-sampler.ts';
import { threadUsage } from './metrics/thread-usage.ts';
import type { Quarantined } from './quarantine.ts';
import { codeOf } from './storage/postgres/connection/errors.ts';
import type { OpenedSession, SessionIdentity, WorkerStore } from './storage/store.ts';
import { createWorkerStore, type StoreProblem } from './storage/store-postgres.ts';
import { threadTime } from './turns/thread-time.ts';

export interface WorkerTask {
  readonly identity: SessionIdentity;
  readonly storage: {
    readonly url: string;
    readonly lowestTimeline: number;
    readonly connectTimeoutMs: number;
    readonly answerTimeoutMs: number;
    readonly readConnections: number;
    readonly eventsMs?: number;
  };
  readonly limits: HostLimits;
  readonly progress: SharedArrayBuffer;
  /** Memory of the ThreadCounts of this slot. */
  readonly counts: SharedArrayBuffer;
  /** Memory of a Liveness. Null if the node is alone, so that no other node can own its documents. */
  readonly liveness: SharedArrayBuffer | null;
  /** Documents that are out of service when the worker starts. */
  readonly quarantined: readonly Quarantined[];
  /** Carries the batches of the node's own gateway. */
  readonly link: MessagePort;
  readonly control: MessagePort;
}

/** Alternating shard and epoch. */
export type ShardEpochs = readonly number[];

export type ToWorker =
  | { type: 'stop' }
  | { type: 'folded'; token: number; folded: Folded | undefined }
  | { type: 'snapshotJobDone'; token: number; bytes: Uint8Array<ArrayBuffer> | undefined }
  /** Claims the free ones among these shards. Answered by `claimed`. */
  | { type: 'claim'; token: number; shards: readonly number[] }
  /** Looks which of these shards another session has handed to this one. Answered by `claimed`. */
  | { type: 'adopt'; token: number; shards: readonly number[] }
  /** Hands these shards over. Answered by `released`. */
  | { type: 'release'; token: number; shards: readonly number[]; to: number }
  /** Takes one more document out of service. */
  | { type: 'quarantine'; quarantined: Quarantined }
  /** Puts a document back into service. */
  | { type: 'unquarantine'; doc: string }
  /** From now on, PostgreSQL servers of a lower timeline are not used. */
  | { type: 'refuseBelow'; timeline: number }
  /** Batches of a peer's gateway come over this port until it closes. */
  | { type: 'link'; id: number; port: MessagePort };

export type FromWorker =
  /** Sent as soon as the session exists, so that it can be fenced. */
  | { type: 'session'; session: number }
  | { type: 'ready'; session: number; thread: number }
  | { type: 'claimed'; token: number; epochs: ShardEpochs }
  /** The shards that moved. */
  | { type: 'released'; token: number; epochs: ShardEpochs }
  /** The database is out of reach, or it refused. */
  | { type: 'failed'; token: number; error: string }
  | { type: 'fold'; token: number; request: FoldRequest }
  | { type: 'snapshotJob'; token: number; job: SnapshotJob }
  /**
   * Tells whether the database accepts writes. Sent after each failed attempt, and when an attempt succeeds
   * again.
   */
  | { type: 'writes'; failure: { readonly code?: string } | undefined }
  /** The handling of this document has thrown. */
  | { type: 'docFailed'; doc: string }
  | { type: 'log'; level: 'info' | 'warn' | 'error'; message: string; fields: object };

/** The reason for which a worker's task ended by itself. */
export type WorkerEnd = 'stopped' | 'fenced' | 'gap';

export default async function run(task: WorkerTask): Promise<WorkerEnd> {
  const { control } = task;
  const tell = (message: FromWorker): void => control.postMessage(message);
  const log = (level: 'info' | 'warn' | 'error', message: string, fields: object): void =>
    tell({ type: 'log', level, message, fields });
  const store = createWorkerStore({
    ...task.storage,
    onProblem: (problem) => {
      const fields = { slot: task.identity.slot, ...asFields(problem) };
      if (problem.type === 'unavailable') log('warn', 'PostgreSQL does not take edits', fields);
      else if (problem.type === 'refused') log('warn', 'PostgreSQL has refused patches', fields);
      else log('info', 'PostgreSQL takes edits again', fields);
      if (problem.type === 'refused') return;
      const code = problem.type === 'unavailable' ? codeOf(problem.error) : undefined;
      const failure = code === undefined ? {} : { code };
      tell({ type: 'writes', failure: problem.type === 'unavailable' ? failure : undefined });
    },
  });
  const { slot } = task.identity;
  const liveness = task.liveness === null ? undefined : new Liveness(task.liveness);
  const time = threadTime(systemClock.now);
  const progress = new Progress(task.progress);
  const counts = new ThreadCounts(task.counts);
  const usage = threadUsage();
  const sampler = new ThreadSampler(counts, usage, monotonicMs);
  const beating = setInterval(() => {
    progress.beat();
    liveness?.beat(slot);
    sampler.beat();
  }, BEAT_MS);
  try {
    const openingAt = monotonicMs();
    const session = await store.open(task.identity);
    liveness?.confirm(slot, openingAt + CONFIRM_MS);
    tell({ type: 'session', session: session.id });
    await warmUp(store, task.storage.readConnections);
    return await serve(task, store, session, { liveness, counts, spentMs: time.spentMs }, tell, log);
  } finally {
    time.close();
    usage.close();
    clearInterval(beating);
    store.abort();
    control.close();
    task.link.close();
  }
}

/** Parts of the task's thread. */
interface ThreadParts {
  readonly liveness: Liveness | undefined;
  readonly counts: ThreadCounts;
  readonly spentMs: () => number;
}

function serve(
  task: WorkerTask,
  store: WorkerStore,
  session: OpenedSession,
  { liveness, counts, spentMs }: ThreadParts,
  tell: (message: FromWorker) => void,
  log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void,
): Promise<WorkerEnd> {
  return new Promise((resolve, reject) => {
    const { slot } = task.identity;
    const folds = new Map<number, (folded: Folded | undefined) => void>();
    const snapshotJobs = new Map<number, (bytes: Uint8Array<ArrayBuffer> | undefined) => void>();
    let lastToken = 0;
    const host = new Host({
      store,
      session,
      loads: loadLimits(task.storage.readConnections),
      limits: task.limits,
      progress: new Progress(task.progress),
      clock: systemClock,
      counts,
      spentMs,
      confirmed: () => liveness?.isConfirmed(slot, monotonicMs()) ?? true,
      log,
      onFailed: (doc) => tell({ type: 'docFailed', doc }),
      fold: (request) =>
        new Promise((done) => {
          const token = ++lastToken;
          folds.set(token, done);
          tell({ type: 'fold', token, request });
        }),
      snapshotJob: async (job) => {
        const token = ++lastToken;
        const done = await new Promise<Uint8Array<ArrayBuffer> | undefined>((resolve) => {
          snapshotJobs.set(token, resolve);
          task.control.postMessage({ type: 'snapshotJob', token, job } satisfies FromWorker, buffersOf(job));
        });
        if (done === undefined) throw new Error('the node could not do the job');
        return done;
      },
      onLost: (reason) => {
        host.dispose();
        resolve(reason);
      },
    });
    for (const quarantined of task.quarantined) host.quarantine(quarantined);
    host.addLink(LOCAL_LINK, portTransport(task.link));
    const answer = async (
      token: number,
      type: 'claimed' | 'released',
      asked: Promise<ReadonlyMap<number, number>>,
    ): Promise<void> => {
      try {
        const epochs = await asked;
        if (type === 'claimed') host.own(epochs);
        tell({ type, token, epochs: [...epochs].flat() });
      } catch (error) {
        tell({ type: 'failed', token, error: String(error) });
      }
    };
    task.control.on('message', (message: ToWorker) => {
      switch (message.type) {
        case 'claim':
          void answer(message.token, 'claimed', store.claim(message.shards));
          return;
        case 'adopt':
          void answer(message.token, 'claimed', store.adopt(message.shards));
          return;
        case 'release':
          void answer(message.token, 'released', host.release(message.shards, message.to));
          return;
        case 'quarantine':
          host.quarantine(message.quarantined);
          return;
        case 'unquarantine':
          host.releaseQuarantined(message.doc);
          return;
        case 'link': {
          const { id, port } = message;
          host.addLink(id, portTransport(port));
          port.on('close', () => host.removeLink(id));
          return;
        }
        case 'refuseBelow':
          store.refuseBelow(message.timeline);
          return;
        case 'folded':
          folds.get(message.token)?.(message.folded);
          folds.delete(message.token);
          return;
        case 'snapshotJobDone':
          snapshotJobs.get(message.token)?.(message.bytes);
          snapshotJobs.delete(message.token);
          return;
        case 'stop':
          host
            .stop()
            .then(() => store.close())
            .then(() => resolve('stopped'), reject);
          return;
        default:
          throw new Error(`unknown message ${String(message satisfies never)}`);
      }
    });
    tell({ type: 'ready', session: session.id, thread: threadId });
  });
}

/** Errors do not cross threads whole. */
const asFields = (problem: StoreProblem): object =>
  'error' in problem ? { ...problem, error: String(problem.error) } : problem;

/** A link over a MessagePort. Each batch is an ArrayBuffer of its own and is transferred. */
export function portTransport(port: MessagePort): Transport {
  return {
    post: (batch) => port.postMessage(batch, [batch.buffer]),
    onBatch: (listener) => {
      port.on('message', listener);
    },
    close: () => port.close(),
  };
}
