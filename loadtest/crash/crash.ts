// The crash run: a node is killed again and again under load from the SDK and from bare clients, its
// PostgreSQL too, and each time started again on the same data; then everything that any client was ever told
// is compared with the log. Before each kill, and at other times, answers are lost between commit and client,
// so that committed submits are sent again. Owns the faults, judges by checker.ts alone.
import { check } from '../checker/checker.ts';
import { readLogs, readStored } from '../checker/log.ts';
import type { SubmitRecord, Violation } from '../checker/records.ts';
import { seededRandom } from '../clients/random-edits.ts';
import { lasted } from '../command-line/command.ts';
import type { NodeProcess } from '../nodes/node-process.ts';
import { CrashLoad } from './crash-load.ts';
import { CuttingProxy } from './crash-proxy.ts';

export interface CrashOptions {
  readonly node: NodeProcess;
  /** Number of kills. They alternate: the node, its postmaster, both at once. */
  readonly rounds: number;
  /** Load before each kill, and after the last. */
  readonly secondsPerRound: number;
  readonly seed: number;
  readonly onRound?: (line: string) => void;
  /** Aborted: no kill follows, and what there was is judged. */
  readonly signal?: AbortSignal;
}

export interface CrashResult {
  readonly violations: readonly Violation[];
  readonly acknowledged: number;
  readonly committed: number;
  readonly rejected: number;
  /** Submits that were sent more than once. */
  readonly resent: number;
  /**
   * Of these, the submits that had committed before they were sent again: without any, the run did not test
   * the duplicate check.
   */
  readonly repeated: number;
  /**
   * Of these, the submits that one node committed before it was killed, and that were sent again to the next
   * one.
   */
  readonly repeatedToNextNode: number;
  /** Per kill, milliseconds from it to the next commit that any client saw. */
  readonly pausesMs: readonly number[];
}

/**
 * Settings of every node but the first. The first one's documents are read back from their log alone. Later,
 * repeated submits should lie below a snapshot as often as above it.
 */
const EAGER_SNAPSHOTS = ['snapshot.minBytes=1KiB', 'snapshot.ratio=0.01'];
const FAULTS = ['node', 'postmaster', 'node and postmaster'] as const;
/** A commit must be seen again within this time, which includes a start after a crash. */
const RESUME_MS = 60_000;
const DRAIN_MS = 60_000;
const TICK_MS = 5;

/** Rejects when the node does not come back, or edits do not end. */
export async function crashRun(options: CrashOptions): Promise<CrashResult> {
  const { node, rounds, secondsPerRound, seed, onRound = () => undefined } = options;
  const { signal = new AbortController().signal } = options;
  const random = seededRandom(seed);
  const restless = await CuttingProxy.open({ nodePort: node.port, random, restless: true });
  const patient = await CuttingProxy.open({ nodePort: node.port, random, restless: false });
  const load = new CrashLoad(node.socketUrl, { restless, patient }, random);
  try {
    await load.start();
    const pausesMs: number[] = [];
    const nodeKills: number[] = [];
    for (let round = 0; round < rounds; round++) {
      if (!(await lasted(secondsPerRound * 1000, signal))) break;
      const fault = FAULTS[round % FAULTS.length] ?? 'node';
      await load.hush();
      if (fault !== 'postmaster') nodeKills.push(performance.now());
      const pause = await strike(node, fault, load);
      pausesMs.push(pause);
      onRound(
        `${round + 1}/${rounds}: killed ${fault}, first commit after ${Math.round(pause)} ms, ${load.committed} so far`,
      );
    }
    await lasted(secondsPerRound * 1000, signal);
    await within(DRAIN_MS, 'edits did not end', load.stop());
    const logs = await readLogs({ url: node.socketUrl, random: Math.random }, load.docs);
    const complete = await readStored(await node.storageUrl(), logs);
    const records = load.records();
    const submits = records.flatMap((record) => [...record.submits.values()]);
    const repeated = submits.filter(hadCommitted);
    return {
      violations: check(complete, records),
      acknowledged: submits.filter((submit) => submit.fate.type === 'ok').length,
      rejected: submits.filter((submit) => submit.fate.type === 'rejected').length,
      committed: logs.reduce((sum, log) => sum + log.rows.length, 0),
      resent: submits.filter((submit) => submit.sends > 1).length,
      repeated: repeated.length,
      repeatedToNextNode: repeated.filter((submit) => nodeKills.some((at) => isBetweenSends(at, submit)))
        .length,
      pausesMs,
    };
  } finally {
    load.close();
    restless.close();
    patient.close();
  }
}

async function strike(node: NodeProcess, fault: (typeof FAULTS)[number], load: CrashLoad): Promise<number> {
  const began = performance.now();
  if (fault !== 'postmaster') await node.kill();
  if (fault !== 'node') await node.killPostmaster();
  const before = load.committed;
  if (fault !== 'postmaster') await node.restart(EAGER_SNAPSHOTS);
  while (load.committed === before) {
    if (performance.now() - began > RESUME_MS) {
      throw new Error(`no commit ${RESUME_MS} ms after killing ${fault}:\n${node.log.slice(-2000)}`);
    }
    if (!node.running) await node.restart(EAGER_SNAPSHOTS);
    await sleep(TICK_MS);
  }
  return performance.now() - began;
}

/** Whether, when the submit was last sent, its client had been shown a version at or above its commit. */
function hadCommitted({ sends, fate, seenAtLastSend }: SubmitRecord): boolean {
  return sends > 1 && fate.type === 'ok' && fate.version <= seenAtLastSend;
}

/** Only if it was sent exactly twice is it certain that the first sending led to the commit. */
function isBetweenSends(at: number, { sends, firstSentAt, lastSentAt }: SubmitRecord): boolean {
  return sends === 2 && firstSentAt < at && at < lastSentAt;
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
