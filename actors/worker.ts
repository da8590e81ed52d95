// The worker thread's entry: one never-ending task per worker of the host pool. It opens a session,
// claims its shards, runs a Host until told to stop, and ends. It must not throw at import: a module
// that does empties the pool for good.
import { type MessagePort, threadId } from 'node:worker_threads';
import { type FoldRequest, Host, type HostLimits } from './host.ts';
import type { Transport } from './link.ts';
import { Progress } from './progress.ts';
import type { SessionIdentity, SessionRef, WorkerStore } from './storage/store.ts';
import { createWorkerStore, type StoreProblem } from './storage/store-postgres.ts';

export interface WorkerTask {
  readonly identity: SessionIdentity;
  readonly storage: {
    readonly url: string;
    readonly connectTimeoutMs: number;
    readonly readConnections: number;
  };
  readonly shards: readonly number[];
  readonly limits: HostLimits;
  readonly progress: SharedArrayBuffer;
  /** Batches of the node's own gateway. */
  readonly link: MessagePort;
  readonly control: MessagePort;
}

export type ToWorker = { type: 'stop' } | { type: 'folded'; token: number; bytes: number | undefined };

export type FromWorker =
  /** Said as soon as the session exists, so that it can be fenced. */
  | { type: 'session'; session: number }
  | { type: 'ready'; session: number; shards: number; thread: number }
  | { type: 'fold'; token: number; request: FoldRequest }
  | { type: 'log'; level: 'info' | 'warn' | 'error'; message: string; fields: object };

/** Why a worker's task ended by itself. */
export type WorkerEnd = 'stopped' | 'fenced' | 'gap' | 'unclaimed';

/** The gateway's link is number 0; links of peers follow. */
const LOCAL_LINK = 0;

export default async function run(task: WorkerTask): Promise<WorkerEnd> {
  const { control } = task;
  const tell = (message: FromWorker): void => control.postMessage(message);
  const log = (level: 'info' | 'warn' | 'error', message: string, fields: object): void =>
    tell({ type: 'log', level, message, fields });
  const store = createWorkerStore({
    ...task.storage,
    onProblem: (problem) =>
      log(problem.type === 'recovered' ? 'info' : 'warn', 'storage', {
        slot: task.identity.slot,
        ...asFields(problem),
      }),
  });
  try {
    const session = await store.open(task.identity);
    tell({ type: 'session', session: session.id });
    const epochs = await store.claim(task.shards);
    if (epochs.size < task.shards.length) return 'unclaimed';
    await warmUp(store, task.storage.readConnections);
    return await serve(task, store, session, epochs, tell, log);
  } finally {
    store.abort();
    control.close();
    task.link.close();
  }
}

/** Opens the read connections and lets the database plan what opening a document asks: the first one to open is somebody's. */
async function warmUp(store: WorkerStore, connections: number): Promise<void> {
  const ask = async (): Promise<void> => {
    await store.find('-', '-');
    await store.load([NO_DOCUMENT]);
    await store.clients(NO_DOCUMENT, 1);
    await store.clientSeqs(NO_DOCUMENT, '-', 0);
  };
  await Promise.all(Array.from({ length: connections }, ask));
}

/** No document has it: ids are positive. */
const NO_DOCUMENT = 0;

function serve(
  task: WorkerTask,
  store: WorkerStore,
  session: SessionRef,
  epochs: ReadonlyMap<number, number>,
  tell: (message: FromWorker) => void,
  log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void,
): Promise<WorkerEnd> {
  return new Promise((resolve, reject) => {
    const folds = new Map<number, (bytes: number | undefined) => void>();
    let lastToken = 0;
    const host = new Host({
      store,
      session,
      epochs,
      limits: task.limits,
      progress: new Progress(task.progress),
      now: Date.now,
      log,
      fold: (request) =>
        new Promise((done) => {
          const token = ++lastToken;
          folds.set(token, done);
          tell({ type: 'fold', token, request });
        }),
      onLost: (reason) => {
        host.dispose();
        resolve(reason);
      },
    });
    host.addLink(LOCAL_LINK, portTransport(task.link));
    task.control.on('message', (message: ToWorker) => {
      switch (message.type) {
        case 'folded':
          folds.get(message.token)?.(message.bytes);
          folds.delete(message.token);
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
    tell({ type: 'ready', session: session.id, shards: epochs.size, thread: threadId });
  });
}

/** Errors do not cross threads whole. */
const asFields = (problem: StoreProblem): object =>
  'error' in problem ? { ...problem, error: String(problem.error) } : problem;

/** A link over a MessagePort: each batch is its own ArrayBuffer, transferred. */
export function portTransport(port: MessagePort): Transport {
  return {
    post: (batch) => port.postMessage(batch, [batch.buffer]),
    onBatch: (listener) => {
      port.on('message', listener);
    },
    close: () => port.close(),
  };
}
