// A host on the memory store, in this thread. The test controls the gateway's end of a link.
import { type Clock, systemClock } from '../../../actors/clock.ts';
import { doSnapshotJob, type SnapshotJob } from '../../../actors/compute/snapshot-job.ts';
import { Host, type HostLimits } from '../../../actors/host/host.ts';
import { Link } from '../../../actors/link/link.ts';
import {
  FORGET,
  JSON_FRAMES,
  jsonOp,
  OPEN,
  OPENED,
  type OpenRequest,
  SNAPSHOT,
  SUBMIT,
  type ToGateway,
  type ToOwner,
} from '../../../actors/link/link-messages.ts';
import { Progress } from '../../../actors/liveness/progress.ts';
import { loadLimits } from '../../../actors/loading/load-queue.ts';
import { SHARDS } from '../../../actors/shard.ts';
import type { SessionRef, WorkerStore } from '../../../actors/storage/store.ts';
import { mergeAll } from '../../../kinds/yjs/updates.ts';
import type { MemoryDatabase } from '../../doubles/store-memory.ts';
import { type LoopbackEnd, loopback } from '../../support/loopback.ts';

const MiB = 1024 * 1024;

export const HOST_LIMITS: HostLimits = {
  actor: {
    documentBytes: MiB,
    depth: 100,
    workMs: 50,
    receiveBytes: 2 * MiB,
    residentOps: 100,
    historyOps: 1000,
    historyBytes: MiB,
    residentBytes: MiB,
    mailbox: { messages: 100, bytes: MiB },
    snapshotMinBytes: MiB,
    snapshotRatio: 0.5,
  },
  commit: { maxRows: 100, maxBytes: MiB, queueBytes: MiB, perSecond: Number.POSITIVE_INFINITY },
  link: { windowMessages: 1000, windowBytes: 8 * MiB, queueMessages: 1000, queueBytes: 8 * MiB },
  historyMemoryBytes: 4 * MiB,
  loadsWaiting: { messages: 100_000, bytes: 8 * MiB },
  memoryBytes: 100 * MiB,
  idleMs: 60_000,
  quarantine: { firstMs: 60_000, mostMs: 3_600_000 },
};

/**
 * The system's clock, but its time stands still during a turn of the event loop: no work takes any time here. With
 * the system's own time a load would pause when the machine has stood still for a moment, and be idle meanwhile.
 */
function turnClock(): Clock {
  let time: number | undefined;
  return {
    ...systemClock,
    now: () => {
      if (time === undefined) {
        time = systemClock.now();
        setImmediate(() => {
          time = undefined;
        });
      }
      return time;
    },
  };
}

export interface Harness {
  readonly host: Host;
  readonly session: number;
  readonly sessionRef: SessionRef;
  /** The messages of the owner, in order. Shared snapshots are in the frames that refer to them. */
  readonly got: ToGateway[];
  /** The pieces of each shared snapshot that has come and has not been forgotten. */
  readonly snapshots: ReadonlyMap<number, readonly Uint8Array[]>;
  readonly lost: string[];
  readonly errors: object[];
  /** Documents whose handling has thrown. */
  readonly failed: string[];
  send(message: ToOwner): void;
  open(subscriptionId: number, doc: string, request?: Partial<OpenRequest>): void;
  submit(subscriptionId: number, seq: number, base: number, op: unknown): void;
  idle(): Promise<void>;
  /** One turn of the event loop. */
  turn(): Promise<void>;
  /** Messages that the host has not handled, as far as the other end of its link knows. */
  backlog(): number;
}

/** Starts a host. Each subscription is client `client-<subscriptionId>`, over channel 1. */
export async function startHost(
  database: MemoryDatabase,
  limits: HostLimits = HOST_LIMITS,
  /** The time that the thread has spent. By default work takes no time, so no message waits for a turn. */
  spentMs: () => number = () => 0,
  clock: Clock = turnClock(),
  merge: (updates: readonly Uint8Array[]) => Promise<Uint8Array<ArrayBuffer>> = async (updates) =>
    new Uint8Array(mergeAll(updates)),
  pack: (json: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>> = async (json) =>
    new Uint8Array(doSnapshotJob({ type: 'pack', json })),
  diff: (job: SnapshotJob & { readonly type: 'diff' }) => Promise<Uint8Array<ArrayBuffer>> = async (job) =>
    new Uint8Array(doSnapshotJob(job)),
): Promise<Harness> {
  const store = database.worker();
  const session = await store.open({ run: `run-${Math.random()}`, node: 'test', slot: 0 });
  const epochs = await store.claim(Array.from({ length: SHARDS }, (_, shard) => shard));
  const { near, far }: { near: LoopbackEnd; far: LoopbackEnd } = loopback();
  const got: ToGateway[] = [];
  const lost: string[] = [];
  const errors: object[] = [];
  const failed: string[] = [];
  const host = new Host({
    store,
    session,
    loads: loadLimits(2),
    limits,
    progress: new Progress(new SharedArrayBuffer(Progress.BYTES)),
    clock,
    spentMs,
    confirmed: () => true,
    fold: () => Promise.resolve(undefined),
    snapshotJob: (job) => {
      if (job.type === 'merge') return merge(job.updates);
      return job.type === 'pack' ? pack(job.json) : diff(job);
    },
    onFailed: (doc) => failed.push(doc),
    log: (_level, message, fields) => errors.push({ message, ...fields }),
    onLost: (reason) => lost.push(reason),
  });
  host.own(epochs);
  host.addLink(0, far);
  const snapshots = new Map<number, Uint8Array[]>();
  const link = new Link<ToOwner, ToGateway>(near, limits.link, (messages) => {
    for (const message of messages) {
      if (message[0] === SNAPSHOT)
        snapshots.set(message[1], [...(snapshots.get(message[1]) ?? []), message[2]]);
      else if (message[0] === FORGET) snapshots.delete(message[1]);
      else got.push(message[0] === OPENED ? withSnapshot(message, snapshots) : message);
    }
  });
  const send = (message: ToOwner): void => link.send(message);
  return {
    host,
    session: session.id,
    sessionRef: session,
    got,
    snapshots,
    lost,
    errors,
    failed,
    send,
    open: (subscriptionId, doc, request) => send(openOf(1, subscriptionId, doc, request)),
    submit: (subscriptionId, seq, base, op) =>
      send([SUBMIT, 1, subscriptionId, seq, base, jsonOp(JSON.stringify(op))]),
    idle: () => near.idle(),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    backlog: () => link.backlog,
  };
}

function withSnapshot(
  message: ToGateway & { readonly 0: typeof OPENED },
  snapshots: ReadonlyMap<number, readonly Uint8Array[]>,
): ToGateway {
  const [tag, channelId, subscriptionId, frames, version, history, seqs, complete, lastSeq, shared, state] =
    message;
  if (typeof shared !== 'number') return message;
  const pieces = snapshots.get(shared);
  if (pieces === undefined) throw new Error(`snapshot ${shared} has not come`);
  const [before, after, ...rest] = frames;
  if (state !== undefined) {
    const all = [Buffer.concat(pieces), ...frames];
    return [tag, channelId, subscriptionId, all, version, history, seqs, complete, lastSeq, null, state];
  }
  if (before === undefined || after === undefined) return message;
  const frame = Buffer.concat([before, ...pieces, after]);
  return [tag, channelId, subscriptionId, [frame, ...rest], version, history, seqs, complete, lastSeq];
}

/** Opens a document of kind rich-text over a channel of its own. */
export function openOn(host: Harness, channelId: number, subscriptionId: number, doc: string): void {
  host.send(openOf(channelId, subscriptionId, doc));
}

const openOf = (
  channelId: number,
  subscriptionId: number,
  doc: string,
  request: Partial<OpenRequest> = {},
): ToOwner => [
  OPEN,
  channelId,
  subscriptionId,
  {
    doc,
    client: `client-${subscriptionId}`,
    user: 'u',
    role: 'owner',
    codec: JSON_FRAMES,
    kind: 'rich-text',
    ...request,
  },
];

/** The message of a frame, without the WebSocket header. */
export function frameMessage(frame: Uint8Array): Record<string, unknown> {
  const length = (frame[1] ?? 0) & 0x7f;
  const start = length < 126 ? 2 : length === 126 ? 4 : 10;
  return JSON.parse(Buffer.from(frame.subarray(start)).toString('utf8')) as Record<string, unknown>;
}

/** A promise that waits until `open` is called. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** The database with one call of its workers' stores replaced. */
export function withStore(
  database: MemoryDatabase,
  change: (store: WorkerStore) => Partial<WorkerStore>,
): MemoryDatabase {
  return {
    control: () => database.control(),
    fold: () => database.fold(),
    setAvailable: (available) => database.setAvailable(available),
    loseConnection: (session, where) => database.loseConnection(session, where),
    loseAbove: (doc, version) => database.loseAbove(doc, version),
    worker: () => {
      const store = database.worker();
      const changed = change(store);
      return new Proxy(store, {
        get: (target, key) => {
          const value: unknown = Reflect.get(changed, key) ?? Reflect.get(target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
  };
}
