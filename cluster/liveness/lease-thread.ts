// The lease thread as the main thread sees it: this module starts the thread, sends it the lease, and beats
// for the main thread. The thread's work is in lease-keeper.ts, its entry in lease-worker.ts.

import { Worker } from 'node:worker_threads';
import { BEAT_MS, type Liveness, MAIN } from '../../actors/liveness/liveness.ts';
import { assertMove, type Moves } from '../../actors/modes.ts';
import type { WorkerTask } from '../../actors/worker.ts';
import type { PeerTarget } from '../peer/network.ts';
import type { TcpDialContext } from '../peer/tcp/tcp-context.ts';
import type { LeaseEvent, LeaseKeeperSettings } from './lease-keeper.ts';
import type { Lease } from './lease-store.ts';
import type { RedisLeaseStoreOptions } from './lease-store-redis.ts';

export interface LeaseThreadOptions extends LeaseKeeperSettings {
  /** Undefined on a node without a cluster. */
  readonly redis: Omit<RedisLeaseStoreOptions, 'clock' | 'random'> | undefined;
  readonly storage: Pick<WorkerTask['storage'], 'url' | 'connectTimeoutMs' | 'lowestTimeline'>;
  readonly lease: Lease;
  /** The identity and credentials of this node, for connections that carry pulses. */
  readonly pulses: PulseTask;
  /** One place per worker slot. This module makes the beats of the main thread; workers make their own. */
  readonly liveness: Liveness;
  /** Memory of the thread's ThreadCounts. */
  readonly counts: SharedArrayBuffer;
  readonly onEvent: (event: LeaseEvent) => void;
  /** The thread ended by itself, so the lease and the sessions are kept no longer. Called once. */
  readonly onFailed: (error: Error) => void;
}

export interface LeaseThread {
  /** Sets the lease from now on, after a change of sessions or of the state. */
  setLease(lease: Lease): void;
  /** Servers of PostgreSQL with a lower timeline are refused from now on. */
  refuseBelow(timeline: number): void;
  /** Sends pulses to these targets from now on. */
  pulse(targets: readonly PeerTarget[]): void;
  /** Ends the thread. With `release` the lease ends too, if Redis can be reached. */
  stop(release: boolean): Promise<void>;
}

export type ToLeaseThread =
  | { readonly type: 'lease'; readonly lease: Lease }
  | { readonly type: 'refuseBelow'; readonly timeline: number }
  | { readonly type: 'pulse'; readonly targets: readonly PeerTarget[] }
  | { readonly type: 'stop'; readonly release: boolean };

export type FromLeaseThread = LeaseEvent | { readonly type: 'stopped' };

export type PulseTask = Pick<TcpDialContext, 'identity' | 'credentials'>;

/** The data of the thread, all of it cloneable. */
export interface LeaseTask extends LeaseKeeperSettings {
  readonly redis: Omit<RedisLeaseStoreOptions, 'clock' | 'random'> | undefined;
  readonly storage: Pick<WorkerTask['storage'], 'url' | 'connectTimeoutMs' | 'lowestTimeline'>;
  readonly lease: Lease;
  readonly pulses: PulseTask;
  readonly liveness: SharedArrayBuffer;
  readonly counts: SharedArrayBuffer;
}

/**
 * Longer than a call to Redis may take and connections take to close. After this time the thread is
 * terminated.
 */
const STOP_TIMEOUT_MS = 3_000;

type Mode = 'running' | 'stopping' | 'ended';

const MOVES: Moves<Mode> = {
  running: ['stopping', 'ended'],
  stopping: ['ended'],
  // An error is followed by the exit of the thread.
  ended: ['ended'],
};

export function startLeaseThread(options: LeaseThreadOptions): LeaseThread {
  const { liveness, onEvent, onFailed, redis, storage, lease, pulses, renewMs } = options;
  const { stallMs, workerStallMs, counts } = options;
  const workerData: LeaseTask = {
    redis,
    storage,
    lease,
    pulses,
    renewMs,
    ...(stallMs === undefined ? {} : { stallMs }),
    ...(workerStallMs === undefined ? {} : { workerStallMs }),
    liveness: liveness.memory,
    counts,
  };
  const worker = new Worker(new URL('./lease-worker.js', import.meta.url), { workerData, name: 'lease' });
  const beats = setInterval(() => liveness.beat(MAIN), BEAT_MS);
  let mode: Mode = 'running';
  const setMode = (next: Mode): void => {
    assertMove('the lease thread', MOVES, mode, next);
    mode = next;
  };
  const ended = (error: Error): void => {
    clearInterval(beats);
    const failed = mode === 'running';
    setMode('ended');
    if (failed) onFailed(error);
  };
  const stopped = new Promise<void>((resolve) => {
    worker.on('message', (message: FromLeaseThread) => {
      if (message.type === 'stopped') resolve();
      else if (mode === 'running') onEvent(message);
    });
    worker.on('error', (error) => ended(error));
    worker.on('exit', (code) => {
      ended(new Error(`the lease thread ended with ${code}`));
      resolve();
    });
  });
  const tell = (message: ToLeaseThread): void => {
    if (mode === 'running') worker.postMessage(message);
  };
  return {
    setLease: (next) => tell({ type: 'lease', lease: next }),
    refuseBelow: (timeline) => tell({ type: 'refuseBelow', timeline }),
    pulse: (targets) => tell({ type: 'pulse', targets }),
    stop: async (release) => {
      tell({ type: 'stop', release });
      if (mode === 'running') setMode('stopping');
      const timer = setTimeout(() => void worker.terminate(), STOP_TIMEOUT_MS);
      await stopped;
      clearTimeout(timer);
      clearInterval(beats);
      await worker.terminate();
    },
  };
}
