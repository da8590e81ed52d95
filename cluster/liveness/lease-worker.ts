// The entry of the lease thread: it joins the store in Redis, the control store and the keeper, sends pulses
// to peers, and takes messages from the main thread. It runs no documents, so none of its turns takes long.
import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock, type Timers } from '../../actors/clock.ts';
import { BEAT_MS, Liveness, MAIN, monotonicMs } from '../../actors/liveness/liveness.ts';
import { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import { ThreadSampler } from '../../actors/metrics/thread-sampler.ts';
import { threadUsage } from '../../actors/metrics/thread-usage.ts';
import { createControlStore } from '../../actors/storage/store-postgres.ts';
import { PEER_LIMITS } from '../peer/network.ts';
import { PulseSender } from '../peer/pulse-sender.ts';
import { TcpDialler } from '../peer/tcp/tcp-dialler.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { createRedisLeaseStore } from './lease-store-redis.ts';
import type { FromLeaseThread, LeaseTask, ToLeaseThread } from './lease-thread.ts';

/** An answer that takes longer confirms nothing. */
const ANSWER_TIMEOUT_MS = 2_000;

if (parentPort !== null) keepLease(workerData as LeaseTask, parentPort);

function keepLease(task: LeaseTask, port: NonNullable<typeof parentPort>): void {
  const tell = (message: FromLeaseThread): void => port.postMessage(message);
  const clock: Timers = { now: monotonicMs, after: systemClock.after };
  const store = task.redis === undefined ? undefined : createRedisLeaseStore({ ...task.redis, clock });
  const control = createControlStore({ ...task.storage, answerTimeoutMs: ANSWER_TIMEOUT_MS });
  const liveness = new Liveness(task.liveness);
  const counts = new ThreadCounts(task.counts);
  const usage = threadUsage();
  const sampler = new ThreadSampler(counts, usage, monotonicMs);
  const beats = setInterval(() => sampler.beat(), BEAT_MS);
  const keeper = new LeaseKeeper({
    ...task,
    store,
    sessionState: (session) => control.sessionState(session),
    liveness,
    clock,
    counts,
    tell,
  });
  keeper.start();
  const dialler = new TcpDialler({ ...task.pulses, clock, limits: PEER_LIMITS, randomBytes });
  const pulses = new PulseSender({
    dial: (target, done) => dialler.dialForPulses(target, PEER_LIMITS.handshakeMs, done),
    beats: () => liveness.beats(MAIN),
    clock,
    random: Math.random,
    limits: PEER_LIMITS,
    onChange: (run, succeeds) => tell({ type: 'pulsing', succeeds, run }),
  });

  const stop = async (release: boolean): Promise<void> => {
    pulses.stop();
    dialler.close();
    await keeper.stop(release);
    await Promise.all([store?.close(), control.close()]);
    clearInterval(beats);
    usage.close();
    counts.forgetGauges();
    tell({ type: 'stopped' });
    port.close();
  };
  port.on('message', (message: ToLeaseThread) => {
    switch (message.type) {
      case 'lease':
        keeper.setLease(message.lease);
        return;
      case 'refuseBelow':
        control.refuseBelow(message.timeline);
        return;
      case 'pulse':
        pulses.setTargets(message.targets);
        return;
      case 'stop':
        void stop(message.release);
        return;
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  });
}
